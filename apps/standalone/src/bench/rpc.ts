import type { ServerId, VolumeId } from '@novella/core';
import { fdatasyncTime, ms, privateMemory, quantile, type Row } from './figures.js';
import type { BenchHost } from './host.js';
import { pause, Region } from './region.js';

/**
 * How long it takes from a posted event to the call of the hypervisor, over RabbitMQ; what a host that hangs does to
 * another; and how a restart of the broker under load ends.
 */
interface Attached {
  readonly host: BenchHost;
  readonly server: string;
  readonly volume: string;
  sizeGib: number;
}

/** Enough to fill what a conductor works on at once, were it to wait for hosts. */
const HANGING = 40;
const BETWEEN_EVENTS_MS = 20;
const LOAD_SECONDS = 20;
const LOAD_PAUSE_MS = 100;

export async function benchRpc(events: number): Promise<{ rows: Row[]; endedWell: boolean }> {
  const region = await Region.start();
  const rows: Row[] = [['disk: fdatasync of 4 kB, median', ms(await fdatasyncTime(region.dir))]];
  try {
    const [quiet, hanging] = await attachEverywhere(region);
    await measureLowLoad(region, quiet, Math.ceil(events / 4));
    rows.push(...lowLoadRows(await measureLowLoad(region, quiet, events), events));
    rows.push(...(await besideAHangingHost(region, quiet, hanging, events)));
    rows.push(...(await brokerRestart(region, [quiet, ...hanging.slice(0, 5)])));
    for (const { name, pid, startedInMs } of region.apps) {
      if (name === 'cinder-dev') continue;
      rows.push([`${name}: start until it serves`, `${(startedInMs / 1000).toFixed(2)} s`]);
      rows.push([`${name}: private memory (RssAnon) after the load`, `${(await privateMemory(pid)).toFixed(0)} MB`]);
    }
  } catch (error) {
    await region.close();
    throw error;
  }
  return { rows, endedWell: await region.close() };
}

/** One server with one volume on the first host, and a server with many on the second. */
async function attachEverywhere({ openstack, hosts }: Region): Promise<[Attached, Attached[]]> {
  const servers = new Map<string, string>();
  // Hosts are chosen by their free memory, so three servers of one size land on three hosts.
  for (let n = 0; n < 3; n++) {
    const boot = await availableVolume(openstack);
    const server = await openstack.createServerFromVolume(`bench-${n}`, boot, '84');
    for (;;) {
      const { status, host } = await openstack.serverAndHost(server);
      if (status === 'ERROR') throw new Error('a server was not built');
      if (status === 'ACTIVE') {
        servers.set(host, server);
        break;
      }
      await pause(20);
    }
  }
  const attach = async (host: BenchHost | undefined): Promise<Attached> => {
    const server = servers.get(host?.name ?? '');
    if (host === undefined || server === undefined) throw new Error('the servers are not on different hosts');
    const volume = await availableVolume(openstack);
    await openstack.attachVolume(server, volume);
    while ((await openstack.volume(volume)).status !== 'in-use') await pause(10);
    return { host, server, volume, sizeGib: 1 };
  };
  const hanging: Attached[] = [];
  const quiet = await attach(hosts[0]);
  for (let n = 0; n < HANGING; n++) hanging.push(await attach(hosts[1]));
  return [quiet, hanging];
}

async function availableVolume(openstack: Region['openstack']): Promise<string> {
  const volume = await openstack.createVolume('bench', 1);
  while ((await openstack.volume(volume)).status !== 'available') await pause(5);
  await openstack.setBootable(volume);
  return volume;
}

interface Samples {
  readonly fromRequest: number[];
  readonly fromAnswer: number[];
}

/** One event after the other, each posted when the one before has ended. */
async function measureLowLoad(region: Region, attached: Attached, count: number): Promise<Samples> {
  const samples: Samples = { fromRequest: [], fromAnswer: [] };
  for (let n = 0; n < count; n++) {
    await growAtCinder(region, attached);
    const called = attached.host.nextResize(attached.volume as VolumeId);
    const requested = performance.now();
    await region.openstack.postExtended(attached.server, attached.volume);
    const answered = performance.now();
    const at = await called;
    samples.fromRequest.push(at - requested);
    samples.fromAnswer.push(Math.max(0, at - answered));
    await untilRecorded(region, attached);
    await pause(BETWEEN_EVENTS_MS);
  }
  return samples;
}

function lowLoadRows({ fromRequest, fromAnswer }: Samples, count: number): Row[] {
  return [
    [`POST sent -> driver called, low load (${count} events): p50`, ms(quantile(fromRequest, 0.5))],
    ['  p95', ms(quantile(fromRequest, 0.95))],
    [`answer of the POST received -> driver called (${count} events): p50`, ms(quantile(fromAnswer, 0.5))],
    ['  p95', ms(quantile(fromAnswer, 0.95))],
  ];
}

/** Both in one run, in turns, so that what else the machine does is in both. */
async function besideAHangingHost(
  region: Region,
  quiet: Attached,
  hanging: readonly Attached[],
  count: number,
): Promise<Row[]> {
  const before = await measureLowLoad(region, quiet, count);
  const held = hanging.map(({ host }) => host.hangNextResize());
  for (const attached of hanging) {
    await growAtCinder(region, attached);
    await region.openstack.postExtended(attached.server, attached.volume);
  }
  await held[0]?.reached;
  const meanwhile = await measureLowLoad(region, quiet, count);
  for (const call of held) call.release();
  while (!(await Promise.all(hanging.map(seesAll))).every(Boolean)) await pause(20);
  const [p50, p50Meanwhile] = [quantile(before.fromRequest, 0.5), quantile(meanwhile.fromRequest, 0.5)];
  const [p95, p95Meanwhile] = [quantile(before.fromRequest, 0.95), quantile(meanwhile.fromRequest, 0.95)];
  return [
    [`POST -> driver on one host while another hangs with ${hanging.length} extends: p50`, ms(p50Meanwhile)],
    ['  against p50 right before', `${(p50Meanwhile / p50).toFixed(2)} x`],
    ['  p95 against p95 right before', `${(p95Meanwhile / p95).toFixed(2)} x`],
  ];
}

/** Events go on while the broker is killed and started again; in the end every guest must see the last size. */
async function brokerRestart(region: Region, volumes: readonly Attached[]): Promise<Row[]> {
  const until = performance.now() + LOAD_SECONDS * 1000;
  let posted = 0;
  const load = (async () => {
    for (let n = 0; performance.now() < until; n++) {
      const attached = volumes[n % volumes.length];
      if (attached === undefined) throw new Error('no volume');
      await growAtCinder(region, attached);
      await region.openstack.postExtended(attached.server, attached.volume);
      posted += 1;
      await pause(LOAD_PAUSE_MS);
    }
  })();
  await pause((LOAD_SECONDS * 1000) / 4);
  await region.rabbit.kill();
  await pause(2_000);
  await region.rabbit.start();
  const brokerAnswers = performance.now();
  while (!(await allConsume(region))) await pause(20);
  const consuming = performance.now() - brokerAnswers;
  await load;
  const loadEnded = performance.now();
  let behind = volumes.length;
  while (behind > 0 && performance.now() - loadEnded < 120_000) {
    const seen = await Promise.all(volumes.map(seesAll));
    behind = seen.filter((sees) => !sees).length;
    if (behind > 0) await pause(50);
  }
  for (const attached of volumes) await untilRecorded(region, attached);
  return [
    ['broker killed and started under load: it answers -> all apps consume', `${(consuming / 1000).toFixed(1)} s`],
    [`  volumes whose guest is behind, of ${volumes.length} after ${posted} events`, String(behind)],
    ['  last event posted -> all guests see the last size', `${((performance.now() - loadEnded) / 1000).toFixed(1)} s`],
  ];
}

async function allConsume({ apps, hosts }: Region): Promise<boolean> {
  const states = apps
    .filter(({ name }) => name !== 'cinder-dev')
    .map(async ({ healthUrl }) => {
      const response = await fetch(healthUrl).catch(() => null);
      return ((await response?.json()) as { state?: string } | undefined)?.state === 'ready';
    });
  return (await Promise.all([...states, ...hosts.map((host) => host.isReady())])).every(Boolean);
}

const seesAll = async ({ host, server, volume, sizeGib }: Attached): Promise<boolean> =>
  (await host.guestBytes(server as ServerId, volume as VolumeId)) === sizeGib * 2 ** 30;

async function growAtCinder({ openstack }: Region, attached: Attached): Promise<void> {
  attached.sizeGib += 1;
  const status = await openstack.extendVolume(attached.volume, attached.sizeGib);
  if (status !== 202) throw new Error(`the volume service answered ${status}`);
  for (;;) {
    const { size, status: state } = await openstack.volume(attached.volume);
    if (size === attached.sizeGib && state === 'in-use') return;
    await pause(2);
  }
}

/** The newest extend of the server has ended, and well. */
async function untilRecorded({ openstack }: Region, { server }: Attached): Promise<void> {
  for (;;) {
    const [action] = await openstack.actions(server);
    if (action === undefined) throw new Error('there is no action');
    const [event] = await openstack.actionEvents(server, action.request_id);
    if (event?.result === 'Success') return;
    if (event?.result === 'Error') throw new Error('an extend has failed');
    await pause(3);
  }
}
