import 'reflect-metadata';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type BuildInstance, computeRpc, conductorRpc, type Outcome, type ServiceReport } from '@novella/contracts';
import { type HostName, type Log, type RequestId, seconds, type UserId } from '@novella/core';
import { DEAD_LETTER, type Link, openAmqpLink, rpcClient, RpcServer, RpcStrategy } from '@novella/messaging';
import { openMemoryStore, type Store } from '@novella/persistence';
import { HostKey, seal } from '@novella/sealing';
import { systemClock, systemRandom } from '@novella/service-kit';
import {
  ATTACHMENT,
  newInstance,
  type PrivateRabbit,
  SERVER,
  startPrivateRabbit,
  type TemporaryDirectory,
  temporaryDirectory,
  waitUntil,
} from '@novella/testing';
import type { INestMicroservice } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { MicroserviceOptions } from '@nestjs/microservices';
import { type ChannelModel, type ConfirmChannel, connect } from 'amqplib';
import { completed, definitions, usersFor } from '../../deploy/rabbitmq/definitions.mjs';
import { ConductorModule } from '../../apps/conductor/src/conductor.module.js';
import type { VolumeService } from '../../apps/conductor/src/volume-service.js';

/**
 * Somebody has taken over the host `taken` and holds all that it holds: its broker user, its key, its queue. Everything
 * is tried that would reach beyond that host; the broker refuses most of it, the conductor the rest.
 */
const TAKEN = 'taken' as HostName;
const OTHER = 'other' as HostName;
const OTHER_QUEUE = `compute.${OTHER}`;
const REPLY_QUEUE = `reply_${'a'.repeat(32)}`;
const silent: Log = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined };
const io = { clock: systemClock, random: systemRandom, log: silent };

const noVolumes = new Proxy({} as VolumeService, {
  get: () => () => Promise.reject(new Error('no volume takes part')),
});

const report = (host: HostName): ServiceReport => ({
  host,
  phase: 'running',
  publicKey: Buffer.alloc(32, 9).toString('base64'),
  version: '0.1.0',
  hypervisor: { type: 'fake', version: '1', hostname: host },
  capabilities: [],
  connectorProperties: {},
  capacity: { vcpus: 4, memoryMib: 4096, diskGib: 100 },
});

let directory: TemporaryDirectory;
let broker: PrivateRabbit;
let passwords: Readonly<Record<string, string>>;
let store: Store;
let conductor: INestMicroservice;
let rogue: ChannelModel;
const links: Link[] = [];
const commands: BuildInstance[] = [];

const urlOf = (user: string): string => broker.urlOf(user, passwords[user] ?? '');

async function linkAs(user: string): Promise<Link> {
  const link = openAmqpLink({ urls: [urlOf(user)], connectionName: user, ...io });
  links.push(link);
  await link.whenConnected();
  return link;
}

/** The host `other` as it works: it reports, and keeps the commands it gets. */
async function startOther(): Promise<Link> {
  const link = await linkAs(`compute-${OTHER}`);
  const kept = (): Promise<never> => Promise.reject(new Error('not asked for here'));
  const handlers = Object.fromEntries(Object.keys(computeRpc.methods).map((name) => [name, kept]));
  const server = new RpcServer(
    link,
    computeRpc,
    OTHER,
    {
      ...(handlers as unknown as ConstructorParameters<typeof RpcServer<typeof computeRpc>>[3]),
      build_instance: (command) => {
        commands.push(command);
        return Promise.resolve();
      },
    },
    io,
  );
  await server.start();
  await rpcClient(link, conductorRpc, io).any().service_report(report(OTHER));
  return link;
}

beforeAll(async () => {
  directory = await temporaryDirectory({ mode: 0o755 });
  passwords = completed({}, usersFor([TAKEN, OTHER]));
  const file = join(directory.path, 'definitions.json');
  await writeFile(file, JSON.stringify(definitions({ hosts: [TAKEN, OTHER], passwords })));
  broker = await startPrivateRabbit({ definitions: file });

  store = openMemoryStore({ serviceDownTime: seconds(60), clock: systemClock });
  const link = await linkAs('conductor');
  const commandsOf = rpcClient(link, computeRpc, io);
  conductor = await NestFactory.createMicroservice<MicroserviceOptions>(
    ConductorModule.register({
      name: 'conductor',
      verifySender: true,
      store,
      volumes: noVolumes,
      compute: (host) => commandsOf.to(host),
      deleteQueue: (name) => link.deleteQueue(name),
      ...io,
    }),
    { strategy: new RpcStrategy(link, conductorRpc, null, io), logger: false },
  );
  await conductor.listen();
  await startOther();
  await waitUntil(async () => (await store.services('nova-compute')).length === 1, { what: 'the host to be known' });
  rogue = await connect(urlOf(`compute-${TAKEN}`));
  rogue.on('error', () => undefined);
}, 120_000);

afterAll(async () => {
  await rogue.close().catch(() => undefined);
  await conductor.close();
  await Promise.all(links.map((link) => link.close()));
  await broker.stop();
  await directory.remove();
}, 60_000);

/** The broker's reply code; 0 when it let it happen. */
async function replyCode(attempt: (channel: ConfirmChannel) => Promise<unknown>): Promise<number> {
  const channel = await rogue.createConfirmChannel();
  const refused = new Promise<number>((resolve) => {
    channel.on('error', (error: { code?: number }) => resolve(error.code ?? -1));
  });
  const allowed = attempt(channel).then(
    () => 0,
    () => refused,
  );
  const code = await Promise.race([refused, allowed]);
  if (code === 0) await channel.close();
  return code;
}

const publish = (channel: ConfirmChannel, exchange: string, key: string, options: object = {}): Promise<unknown> => {
  channel.publish(exchange, key, Buffer.from('{}'), { contentType: 'application/json', ...options });
  return channel.waitForConfirms();
};

const ACCESS_REFUSED = 403;
const PRECONDITION_FAILED = 406;

describe('the broker refuses a host that was taken over', () => {
  it.each<[string, (channel: ConfirmChannel) => Promise<unknown>]>([
    ['a command to another host', (channel) => publish(channel, 'nova', OTHER_QUEUE)],
    ['a command to a host whose name begins as its own', (channel) => publish(channel, 'nova', `compute.${TAKEN}.x`)],
    ['a command to all hosts whose names begin as its own', (channel) => publish(channel, 'nova', `compute.${TAKEN}#`)],
    ['a command to any host', (channel) => publish(channel, 'nova', 'compute')],
    ['a message past the topic exchange to another host', (channel) => publish(channel, '', OTHER_QUEUE)],
    ['a message past the topic exchange to the conductors', (channel) => publish(channel, '', 'conductor')],
    ['a message to what it has no business with', (channel) => publish(channel, 'nova', 'scheduler')],
    ['reading the commands of another host', (channel) => channel.consume(OTHER_QUEUE, () => undefined)],
    ['fetching one command of another host', (channel) => channel.get(OTHER_QUEUE)],
    ['reading what hosts tell the conductors', (channel) => channel.consume('conductor', () => undefined)],
    ['reading dead letters', (channel) => channel.consume(DEAD_LETTER, () => undefined)],
    ['having the commands of another host copied to its own queue', bindOwn(OTHER_QUEUE)],
    ['having every command copied to its own queue', bindOwn('#')],
    ['having what hosts tell the conductors copied', bindOwn('conductor')],
    ['having the answers to calls copied', bindOwn(REPLY_QUEUE)],
    ['emptying the queue of another host', (channel) => channel.purgeQueue(OTHER_QUEUE)],
    ['deleting the queue of another host', (channel) => channel.deleteQueue(OTHER_QUEUE)],
    ['deleting the queue of the conductors', (channel) => channel.deleteQueue('conductor')],
    ['deleting the exchange', (channel) => channel.deleteExchange('nova')],
    ['making an exchange', (channel) => channel.assertExchange('mine', 'topic')],
    ['leading messages around', (channel) => channel.bindExchange('nova', 'amq.fanout', '')],
    ['holding the name of another host', (channel) => channel.assertQueue(`${OTHER_QUEUE}.lock`, { exclusive: true })],
    ['a queue that takes answers to calls', (channel) => channel.assertQueue(REPLY_QUEUE)],
  ])('%s', async (_what, attempt) => {
    expect(await replyCode(attempt)).toBe(ACCESS_REFUSED);
  });

  it('saying that another user has sent it', async () => {
    const lie = { userId: `compute-${OTHER}` };
    expect(await replyCode((channel) => publish(channel, 'nova', 'conductor', lie))).toBe(PRECONDITION_FAILED);
  });

  it('while its own work goes on: its queue, its name, what it tells the conductors and, to prove that it hears, itself', async () => {
    const own = async (channel: ConfirmChannel) => {
      await channel.assertQueue(`compute.${TAKEN}`, { arguments: { 'x-queue-type': 'quorum' } });
      await channel.bindQueue(`compute.${TAKEN}`, 'nova', `compute.${TAKEN}`);
      await channel.assertQueue(`compute.${TAKEN}.lock`, { exclusive: true, durable: false });
      await channel.consume(`compute.${TAKEN}`, () => undefined);
      await publish(channel, 'nova', 'conductor', { userId: `compute-${TAKEN}`, mandatory: true });
      await publish(channel, 'nova', `compute.${TAKEN}`, { userId: `compute-${TAKEN}`, mandatory: true });
    };
    expect(await replyCode(own)).toBe(0);
  });

  function bindOwn(key: string) {
    return async (channel: ConfirmChannel) => {
      await channel.assertQueue(`compute.${TAKEN}`, { arguments: { 'x-queue-type': 'quorum' } });
      await channel.bindQueue(`compute.${TAKEN}`, 'nova', key);
    };
  }
});

describe('the conductor refuses a host that was taken over', () => {
  let speaks: ReturnType<ReturnType<typeof rpcClient<typeof conductorRpc>>['any']>;
  const reasons: string[] = [];

  beforeAll(async () => {
    speaks = rpcClient(await linkAs(`compute-${TAKEN}`), conductorRpc, io).any();
    await store.createInstance({
      instance: newInstance(),
      mappings: [],
      requester: {
        requestId: 'req-00000000-0000-4000-8000-000000000001' as RequestId,
        userId: 'admin' as UserId,
        projectId: newInstance().projectId,
      },
      confirmWithin: seconds(60),
    });
    await speaks.hint({});
    await waitUntil(() => commands.length === 1, { what: 'the build to reach the other host', timeout: 20_000 });
    const reader = await linkAs('conductor');
    await reader.consume(DEAD_LETTER, { prefetch: 16 }, (letter) => {
      reasons.push(String(letter.headers['x-novella-reason']));
      letter.ack();
    });
  }, 60_000);

  const token = () => {
    const [command] = commands;
    if (command === undefined) throw new Error('there was no command');
    return command.token;
  };
  const built: Outcome = { status: 'built', powerState: 'running', disks: [] };
  const openOperation = () => store.operation(token().operation);

  it.each<[string, () => Promise<void>]>([
    [
      'the result of a command of another host',
      () => speaks.operation_result({ host: OTHER, token: token(), outcome: built }),
    ],
    ['a report in the name of another host', () => speaks.service_report({ ...report(OTHER), phase: 'stopping' })],
    [
      'the power state of a server of another host',
      () => speaks.power_state_changed({ host: OTHER, server: SERVER, powerState: 'crashed' }),
    ],
    ['that another host was removed', () => speaks.remove_host({ host: OTHER })],
  ])('%s', async (_what, attempt) => {
    reasons.length = 0;
    await attempt();
    await waitUntil(() => reasons.length > 0, { what: 'the message to be refused' });
    expect(reasons).toEqual([expect.stringMatching(/^sender-refused: /)]);
    expect(await openOperation()).toMatchObject({ state: 'dispatched', host: OTHER });
    expect(await store.services('nova-compute')).toMatchObject([{ host: OTHER, up: true }]);
    expect(await store.instance(SERVER)).toMatchObject({ vmState: 'building', powerState: 'nostate' });
  });

  it('does not listen to its own answer to a command that another host was given', async () => {
    await speaks.operation_result({ host: TAKEN, token: token(), outcome: built });
    await speaks.service_report(report(TAKEN));
    await waitUntil(async () => (await store.services('nova-compute')).length === 2, { what: 'what came after it' });
    expect(await openOperation()).toMatchObject({ state: 'dispatched', host: OTHER });
  });

  it('and believes the host that the command was for', async () => {
    await rpcClient(await linkAs(`compute-${OTHER}`), conductorRpc, io)
      .any()
      .operation_result({ host: OTHER, token: token(), outcome: built });
    await waitUntil(async () => (await openOperation())?.state === 'succeeded', { what: 'the build to end' });
  });
});

it('the key of a host that was taken over opens no secret of another host', async () => {
  const folders = [join(directory.path, TAKEN), join(directory.path, OTHER)] as const;
  for (const folder of folders) await mkdir(folder);
  const [taken, other] = [await HostKey.open(folders[0]), await HostKey.open(folders[1])];
  const sealed = seal(other.publicKey, { auth_password: 'geheim' }, ATTACHMENT);
  expect(() => taken.unseal(sealed, ATTACHMENT)).toThrow(expect.objectContaining({ code: 'secret-unreadable' }));
  expect(other.unseal(sealed, ATTACHMENT)).toEqual({ auth_password: 'geheim' });
});
