import { describe, expect, it } from '@jest/globals';
import { type HostName, minutes, type Random, type ServerId } from '@novella/core';
import type { Capacity, Operation, Store } from '@novella/persistence';
import { seededRandom } from '@novella/testing';
import { answer, claimed, dispatched, host, must, newInstance, openOperation, report, requester } from './world.js';
import type { Subject } from './world.js';

const SERVERS = 96;
const HOSTS = ['a', 'b', 'c'].map(host);
const PARTS = ['vcpus', 'memoryMib', 'diskGib'] as const satisfies readonly (keyof Capacity)[];
const NOTHING: Capacity = { vcpus: 0, memoryMib: 0, diskGib: 0 };

interface Build {
  readonly server: ServerId;
  readonly operation: Operation;
}

/** Builds as several conductors place them at once, while an operator closes, removes and readmits the hosts. */
export function placingRaceTests({ store, sessions }: Subject): void {
  describe('place, from all sessions at once', () => {
    it.each([1, 2, 3])('never takes more than there is, and nothing of a closed host (seed %i)', async (seed) => {
      const random = seededRandom(seed);
      const deployment = new Deployment(random);
      for (const name of HOSTS) await deployment.admit(store(), name);
      const wanted: { build: Build; need: Capacity }[] = [];
      for (let count = 0; count < SERVERS; count += 1) {
        wanted.push({
          build: await claimedBuild(store()),
          need: sized(random, 0, { vcpus: 4, memoryMib: 1000, diskGib: 8 }),
        });
      }
      const [operator, ...placers] = sessions();
      const changing = deployment.changeHosts(must(operator));
      const placed = await Promise.all(
        placers.map(async (session, index) => {
          let mine = 0;
          for (let at = index; at < SERVERS; at += placers.length) {
            const { build, need } = wanted[at]!;
            if (await deployment.placeSomewhere(session, build, need)) mine += 1;
          }
          return mine;
        }),
      );
      deployment.allPlaced = true;
      await changing;
      const total = placed.reduce((all, some) => all + some, 0);
      const services = await store().services('nova-compute');
      expect(services.map((service) => service.used)).toEqual(HOSTS.map((name) => deployment.taken(name)));
      expect(overfull(services)).toEqual([]);
      const counted = [...(await store().serversByHost()).values()].reduce((all, some) => all + some, 0);
      expect(counted).toBe(total);
      expect(total).toBeGreaterThan(0);
      expect(total).toBeLessThan(SERVERS);
    });

    it('gives the room of deleted servers away once', async () => {
      const small = host('small');
      const need = { vcpus: 1, memoryMib: 1, diskGib: 0 };
      await store().reportService(report({ host: small, capacity: { vcpus: 4, memoryMib: 100, diskGib: 0 } }));
      const full: ServerId[] = [];
      for (let count = 0; count < 4; count += 1) {
        const { server, operation } = await claimedBuild(store());
        expect(await store().place(operation, server, small, need)).toBe('placed');
        await store().end(operation, { result: 'succeeded', changes: { instance: { vmState: 'active' } } });
        full.push(server);
      }
      const waiting = await Promise.all(sessions().map((session) => claimedBuild(session)));
      let removing = true;
      const leaving = full.slice(0, 3).map((server, index) => removeServer(sessions()[index]!, server));
      const removals = Promise.all(leaving).then(() => (removing = false));
      const results = await Promise.all(
        waiting.map(async ({ server, operation }, index) => {
          for (;;) {
            const last = !removing;
            const result = await sessions()[index]!.place(operation, server, small, need);
            if (result !== 'no-room' || last) return result;
          }
        }),
      );
      await removals;
      expect(results.filter((result) => result === 'placed')).toHaveLength(3);
      expect((await store().services('nova-compute'))[0]?.used.vcpus).toBe(4);
    });
  });
}

async function claimedBuild(session: Store): Promise<Build> {
  const created = await session.createInstance({
    instance: newInstance(),
    mappings: [],
    requester: requester(),
    confirmWithin: minutes(1),
  });
  return { server: created.instance.id, operation: await claimed(session, created.operation) };
}

async function removeServer(session: Store, server: ServerId): Promise<void> {
  await session.requestDelete(server, requester());
  const sent = await dispatched(session, (await openOperation(session, server, 'delete')).id);
  await session.end(await answer(session, sent), { result: 'succeeded', changes: { instance: { deleted: true } } });
}

/** Each part between `least` and `least` + `more`. */
function sized(random: Random, least: number, more: Capacity): Capacity {
  const part = (most: number) => least + Math.floor(random.fraction() * (most + 1));
  return { vcpus: part(more.vcpus), memoryMib: part(more.memoryMib), diskGib: part(more.diskGib) };
}

const overfull = (services: readonly { host: HostName; used: Capacity; capacity: Capacity }[]): HostName[] =>
  services.filter(({ used, capacity }) => PARTS.some((part) => used[part] > capacity[part])).map((row) => row.host);

/** What the test knows of its hosts without asking the store. */
class Deployment {
  allPlaced = false;
  readonly #random: Random;
  readonly #capacities: ReadonlyMap<HostName, Capacity>;
  readonly #taken = new Map<HostName, Capacity>();
  /** Closed by a change that was acknowledged; a number of its own for each time. */
  readonly #closures = new Map<HostName, number>();
  #count = 0;

  constructor(random: Random) {
    this.#random = random;
    const some = (): Capacity => sized(random, 10, { vcpus: 20, memoryMib: 9000, diskGib: 60 });
    this.#capacities = new Map(HOSTS.map((name) => [name, some()]));
  }

  taken(name: HostName): Capacity {
    return this.#taken.get(name) ?? NOTHING;
  }

  async admit(session: Store, name: HostName): Promise<void> {
    await session.reportService(report({ host: name, capacity: this.#capacities.get(name) ?? NOTHING }));
  }

  async placeSomewhere(session: Store, { server, operation }: Build, need: Capacity): Promise<boolean> {
    for (let turn = 0; turn < 6; turn += 1) {
      const name = HOSTS[(turn + need.memoryMib) % HOSTS.length]!;
      const closed = this.#closures.get(name);
      const result = await session.place(operation, server, name, need);
      if (result === 'raced') throw new Error('nobody else places this server');
      if (result === 'no-room') continue;
      if (closed !== undefined) expect(this.#closures.get(name)).not.toBe(closed);
      const { vcpus, memoryMib, diskGib } = this.taken(name);
      this.#taken.set(name, {
        vcpus: vcpus + need.vcpus,
        memoryMib: memoryMib + need.memoryMib,
        diskGib: diskGib + need.diskGib,
      });
      return true;
    }
    return false;
  }

  /** Disables, forces down or removes one host after the other and takes it back, until all is placed. */
  async changeHosts(operator: Store): Promise<void> {
    while (!this.allPlaced) {
      const name = HOSTS[Math.floor(this.#random.fraction() * HOSTS.length)]!;
      const { id } = must((await operator.services('nova-compute')).find((service) => service.host === name));
      const change = (['disabled', 'forcedDown', 'removed'] as const)[Math.floor(this.#random.fraction() * 3)]!;
      if (change !== 'removed') await operator.updateService(id, { [change]: true });
      else if ((await operator.deleteService(id)) !== 'deleted') continue;
      this.#closures.set(name, (this.#count += 1));
      expect(overfull(await operator.services('nova-compute'))).toEqual([]);
      this.#closures.delete(name);
      if (change === 'removed') await this.admit(operator, name);
      else await operator.updateService(id, { [change]: false });
    }
  }
}
