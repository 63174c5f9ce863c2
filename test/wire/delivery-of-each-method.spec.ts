import { setImmediate as nextTurn } from 'node:timers/promises';
import { describe, expect, it } from '@jest/globals';
import {
  cast,
  type CastDefinition,
  computeRpc,
  conductorRpc,
  defineRpc,
  type HandlersOf,
  type RpcContract,
} from '@novella/contracts';
import { type HostName, type Log, millis } from '@novella/core';
import {
  DEAD_LETTER,
  deadLetterTopology,
  FRAME_PROPERTIES,
  InMemoryBroker,
  type Link,
  rpcClient,
  RpcServer,
  serverTopology,
  type Target,
} from '@novella/messaging';
import { seededRandom, virtualClock } from '@novella/testing';
import { z } from 'zod';

// How the messages of our contracts are sent, seen at the broker: their content is left out, the rest is the contracts'.
const HOST = 'host-1' as HostName;
const silent: Log = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined };

const castsOf = ({ methods }: RpcContract): [string, CastDefinition<unknown>][] =>
  Object.entries(methods).filter((entry): entry is [string, CastDefinition<unknown>] => entry[1].kind === 'cast');

/** A broker; `send` sends one method's message without its content to the one server of its topic that `QUEUE` is of. */
async function broker(contract: RpcContract, withQueue: boolean) {
  const clock = virtualClock();
  const random = seededRandom(1);
  const at = new InMemoryBroker({ clock });
  const server: Link = at.connect();
  const target =
    contract.topic === 'compute'
      ? ({ kind: 'host', topic: contract.topic, host: HOST } as const)
      : ({ kind: 'any', topic: contract.topic } as const);
  const topology = serverTopology(target, 'f'.repeat(32));
  await server.declare(withQueue ? topology : { ...topology, queues: [] });
  const methods = Object.fromEntries(
    castsOf(contract).map(([name, { args: _left, ...options }]) => [name, cast(z.object({}), options)] as const),
  );
  const client = rpcClient(at.connect(), defineRpc({ ...contract, methods }), { clock, random, log: silent });
  const send = async (name: string): Promise<void> => {
    await (target.kind === 'host' ? client.to(HOST) : client.any())[name]?.({});
  };
  const waiting = (): number => at.depth(topology.queues[0]?.name ?? '');
  return { at, clock, send, waiting };
}

const DURABLE = [
  ...castsOf(computeRpc).map(([name]) => [name, computeRpc] as const),
  ...['operation_result', 'power_state_changed', 'remove_host'].map((name) => [name, conductorRpc] as const),
];

describe('a message whose loss would be felt', () => {
  it.each(DURABLE)(
    '%s comes back to its sender when there is no queue for it (rules 2.5b, 2.7a, 6.3)',
    async (name, contract) => {
      const { send } = await broker(contract, false);
      await expect(send(name)).rejects.toMatchObject({ code: 'rpc-no-route' });
    },
  );

  it.each(DURABLE)(
    '%s outlives the broker, and waits for its server as long as it takes (rules 2.5b, 2.7a)',
    async (name, contract) => {
      const { at, clock, send, waiting } = await broker(contract, true);
      await send(name);
      at.restart();
      for (let turn = 0; turn < 10; turn += 1) await nextTurn();
      await clock.advance(millis(24 * 3_600_000));
      expect(waiting()).toBe(1);
    },
  );
});

describe('a message that the next one makes good', () => {
  it.each([
    ['hint', 1_000],
    ['service_report', 10_000],
  ])('%s is gone after %d ms (rules 2.2b, 6.8a)', async (name, expiresMs) => {
    const { clock, send, waiting } = await broker(conductorRpc, true);
    await send(name);
    await clock.advance(millis(expiresMs - 1));
    expect(waiting()).toBe(1);
    await clock.advance(millis(1));
    expect(waiting()).toBe(0);
  });

  it('service_report tells its sender that no conductor has a queue, and hint does not (rule 6.3)', async () => {
    const { send } = await broker(conductorRpc, false);
    await expect(send('service_report')).rejects.toMatchObject({ code: 'rpc-no-route' });
    await expect(send('hint')).resolves.toBeUndefined();
  });
});

describe('a queue that our servers consume', () => {
  it('is durable and quorum, and has no argument besides (rule 6.2)', () => {
    const targets: Target[] = [
      { kind: 'any', topic: 'conductor' },
      { kind: 'host', topic: 'compute', host: HOST },
    ];
    const queues = [...targets.map((target) => serverTopology(target, 'f'.repeat(32))), deadLetterTopology].flatMap(
      (topology) => topology.queues,
    );
    expect(queues.map(({ name }) => name)).toEqual(['conductor', 'compute.host-1', DEAD_LETTER]);
    for (const { name, durable, autoDelete, arguments: args } of queues) {
      const expected = { name, durable: true, autoDelete: false, args: { 'x-queue-type': 'quorum' } };
      expect({ name, durable, autoDelete, args }).toEqual(expected);
    }
  });
});

describe('a message that nobody can ever handle', () => {
  it('stays where it is until the dead letters have it, and is acked then (rule 6.5b)', async () => {
    const clock = virtualClock();
    const at = new InMemoryBroker({ clock });
    const options = { clock, random: seededRandom(1), log: silent };
    const link = at.connect();
    const server = new RpcServer(link, conductorRpc, null, {} as HandlersOf<typeof conductorRpc>, options);
    await server.start();
    const publish = link.publish.bind(link);
    link.publish = () => Promise.resolve('returned');
    const frame = { exchange: '', routingKey: 'conductor', ...FRAME_PROPERTIES, body: Buffer.from('no JSON') };
    await at.connect().publish(frame, { persistent: true, mandatory: true });
    for (let turn = 0; turn < 30; turn += 1) await nextTurn();
    link.disconnect();
    expect([at.depth('conductor'), at.depth(DEAD_LETTER)]).toEqual([1, 0]);
    link.publish = publish;
    link.reconnect();
    for (let turn = 0; turn < 30; turn += 1) await nextTurn();
    link.disconnect();
    expect([at.depth('conductor'), at.depth(DEAD_LETTER)]).toEqual([0, 1]);
  });
});
