import 'reflect-metadata';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type PrivateRabbitNode, waitUntil } from '@novella/testing';
import { CrashingHost } from './crashing-host.js';
import { growAtCinder, type Grown, Load, postExtended, serversWithVolumes, untilGuestsSee } from './load.js';
import { Records } from './records.js';
import { type Region, startRegion } from './region.js';

const LONG = 400_000;

let region: Region;
let volumes: Grown[];
let records: Records;
beforeAll(async () => {
  region = await startRegion(['host-1', 'host-2'], ['host-3']);
  records = new Records(() => region.postgres.url);
  volumes = await serversWithVolumes(region, region.hosts, 2);
}, LONG);
afterAll(() => region.close(), LONG);

const allConsume = (): Promise<boolean> =>
  waitUntil(region.allConsume, { what: 'all to consume', timeout: LONG, every: 50 });

/**
 * Every event that was answered 200 has a row and an action that ended well; no size fell. The same size may be told
 * again, which changes nothing: when the report was lost, nobody knows whether the guest has seen it.
 */
async function everythingWasDone(load: Load): Promise<void> {
  await untilGuestsSee(volumes);
  const ends = await records.ends(LONG);
  const onRecord = new Set(await records.accepted());
  expect(load.accepted.filter((request) => !onRecord.has(request))).toEqual([]);
  const succeeded = new Set(ends.filter(({ result }) => result === 'Success').map(({ request }) => request));
  expect(load.accepted.filter((request) => !succeeded.has(request))).toEqual([]);
  expect(ends.filter(({ result, state }) => result !== 'Success' || state !== 'succeeded')).toEqual([]);
  for (const { host, volume } of volumes) {
    const sizes = host.toldSizes(volume);
    expect(sizes).toEqual(sizes.toSorted((one, other) => one - other));
  }
}

describe('three brokers', () => {
  it(
    'the leader of the commands is killed and started again, then that of the results: nothing is lost',
    async () => {
      const load = new Load(region, volumes);
      for (const queue of ['compute.host-1', 'conductor']) {
        await load.accepts(10);
        const leader: PrivateRabbitNode = await region.rabbit.leaderOf(queue);
        await leader.kill();
        await load.accepts(10);
        await allConsume();
        await leader.start();
      }
      await load.accepts(10);
      await load.end();
      expect(load.answers).toEqual({ 200: load.posted.length });
      await everythingWasDone(load);
    },
    LONG,
  );

  it(
    'the leader of the commands stands still, half-open, and comes back: nothing is lost',
    async () => {
      const load = new Load(region, volumes);
      await load.accepts(10);
      const leader = await region.rabbit.leaderOf('compute.host-1');
      leader.pause();
      // Nobody else need notice: those whose connections are to the other two go on as before.
      const another = async () => (await region.rabbit.leaderOf('compute.host-1')) !== leader;
      await waitUntil(another, { what: 'another leader', timeout: LONG, every: 200 });
      await allConsume();
      await load.accepts(10);
      leader.resume();
      await load.accepts(10);
      await load.end();
      expect(load.answers).toEqual({ 200: load.posted.length });
      await everythingWasDone(load);
    },
    LONG,
  );
});

describe('Postgres', () => {
  it(
    'killed and started again under load: 200 only with a row, and every event that was accepted is carried out',
    async () => {
      const load = new Load(region, volumes);
      for (let time = 0; time < 2; time += 1) {
        await load.accepts(10);
        await region.postgres.kill();
        const before = load.posted.length;
        await waitUntil(() => load.posted.length >= before + volumes.length, { what: 'answers', timeout: LONG });
        await region.postgres.start();
      }
      await load.accepts(10);
      await load.end();
      expect(Object.keys(load.answers).filter((answer) => !['200', '503', 'connection'].includes(answer))).toEqual([]);
      expect(load.answers[503]).toBeGreaterThan(0);
      await everythingWasDone(load);
    },
    LONG,
  );
});

describe('a command whose consumer is killed each time it has it, 25 times with delivery limit 20', () => {
  it(
    'ends among the dead letters, is sent again, and is done once',
    async () => {
      const crashing = await CrashingHost.start(region, 'host-3');
      const [grown] = await serversWithVolumes(region, [crashing], 1);
      if (grown === undefined) throw new Error('the server has no volume');
      await growAtCinder(region, grown);
      // Alone the conductor would send it again each time the host comes back.
      crashing.holdNext();
      expect(await postExtended(region, grown)).toMatchObject({ status: 200 });
      await crashing.killedOnCommand();
      process.kill(region.conductor.pid, 'SIGSTOP');
      for (let time = 2; time <= 21; time += 1) await crashing.startedAndKilledOnCommand();
      await waitUntil(async () => (await deadLetters()) === 1, { what: 'a dead letter', timeout: LONG });
      process.kill(region.conductor.pid, 'SIGCONT');
      for (let time = 22; time <= 25; time += 1) await crashing.startedAndKilledOnCommand();
      await crashing.startAgain();
      await untilGuestsSee([grown]);
      const ends = await records.ends(LONG);
      expect(ends.filter(({ result }) => result !== 'Success')).toEqual([]);
      // Who has lost the answer tells the guest again, which changes nothing.
      expect(new Set(crashing.toldSizes(grown.volume))).toEqual(new Set([2 * 2 ** 30]));
      await crashing.stop();
    },
    LONG,
  );

  async function deadLetters(): Promise<number> {
    const list = await region.rabbit.rabbitmqctl('list_queues', 'name', 'messages', '--no-table-headers');
    return Number(/^nova_dead_letter\t(\d+)$/m.exec(list)?.[1]);
  }
});
