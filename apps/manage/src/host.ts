import { computeRpc } from '@novella/contracts';
import { isHostName, type Log, type LogFacts, millis, NovellaError, seconds } from '@novella/core';
import { type Link, openAmqpLink, rpcClient } from '@novella/messaging';
import type { Service } from '@novella/persistence';
import { readConfig, systemClock, systemRandom } from '@novella/service-kit';
import { type Command, secondsOf, table, UsageError } from './command.js';
import { withStore } from './database.js';
import { BrokerSettings } from './settings.js';

export const hostPing: Command = {
  usage: 'host ping HOST',
  summary: 'asks a compute through the broker whether it is there; --timeout S, 10 unless given',
  options: { timeout: { type: 'string' } },
  async run([host = ''], options, env) {
    if (!isHostName(host)) throw new UsageError(`${JSON.stringify(host)} is no host name`);
    const limit = seconds(secondsOf('timeout', options['timeout'], 10));
    const { brokerUrls } = readConfig(BrokerSettings, env);
    const said = lastWords();
    const io = { clock: systemClock, random: systemRandom, log: said };
    const link = openAmqpLink({ urls: brokerUrls, connectionName: 'novella-manage', ...io });
    try {
      const left = await connectWithin(link, limit, said);
      const ping = { ...computeRpc.methods.ping, timeoutMs: left };
      const contract = { ...computeRpc, methods: { ...computeRpc.methods, ping } };
      const asked = systemClock.monotonic();
      const { uptimeS } = await rpcClient(link, contract, io).to(host).ping({});
      const roundTripMs = Math.round((systemClock.monotonic() - asked) * 10) / 10;
      const text = `${host} answers: up for ${uptimeS} s, round trip ${roundTripMs} ms`;
      return { text, json: { host, uptimeS, roundTripMs } };
    } finally {
      await link.close();
    }
  },
};

export const hostList: Command = {
  usage: 'host list',
  summary: 'lists the computes with what they last reported',
  options: {},
  async run(_args, _options, env) {
    const hosts = (await withStore(env, (store) => store.services('nova-compute'))).map(shown);
    const rows = hosts.map((host) => [
      host.host,
      host.state,
      host.enabled ? 'enabled' : `disabled${host.disabledReason === null ? '' : `: ${host.disabledReason}`}`,
      host.version,
      host.hypervisor,
      `${host.used.vcpus}/${host.capacity.vcpus}`,
      `${host.used.memoryMib}/${host.capacity.memoryMib}`,
      host.lastReport,
    ]);
    const titles = ['HOST', 'STATE', 'STATUS', 'VERSION', 'HYPERVISOR', 'VCPUS', 'MEMORY MIB', 'LAST REPORT'];
    return { text: rows.length === 0 ? 'no host has reported yet' : table(titles, rows), json: hosts };
  },
};

const shown = (service: Service) => ({
  id: service.id,
  host: service.host,
  state: service.forcedDown ? 'forced down' : service.up ? 'up' : 'down',
  enabled: !service.disabled,
  disabledReason: service.disabledReason,
  version: service.version,
  hypervisor: `${service.hypervisor.type} ${service.hypervisor.version}`,
  capabilities: service.capabilities,
  capacity: service.capacity,
  used: service.used,
  lastReport: service.lastReportAt.toISOString(),
});

/** Answers what is left of the limit. Error: broker-unreachable, with what the link last complained of. */
async function connectWithin(link: Link, limit: number, said: LastWords): Promise<number> {
  const begun = systemClock.monotonic();
  const late = new AbortController();
  const connected = new AbortController();
  void systemClock.sleep(millis(limit), connected.signal).then(
    () => late.abort(new NovellaError('broker-unreachable', 'the broker does not answer', {}, { cause: said.heard() })),
    () => undefined,
  );
  try {
    await link.whenConnected(late.signal);
  } finally {
    connected.abort();
  }
  return Math.max(1, Math.ceil(limit - (systemClock.monotonic() - begun)));
}

interface LastWords extends Log {
  heard(): unknown;
}

/** A log that keeps why it did not work, for the line in which the command ends. */
function lastWords(): LastWords {
  let last: unknown;
  const hear = (_message: string, facts?: LogFacts) => void (last = facts?.['error'] ?? last);
  return { debug: hear, info: hear, warn: hear, error: hear, heard: () => last };
}
