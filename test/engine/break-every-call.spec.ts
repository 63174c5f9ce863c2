import { describe, expect, it } from '@jest/globals';
import {
  gib,
  type Log,
  minutes,
  type ProjectId,
  type RequestId,
  seconds,
  type UserId,
} from '@novella/core';
import { openMemoryStore, type Store } from '@novella/persistence';
import {
  flavor,
  MAPPING,
  seededRandom,
  SERVER,
  service,
  VOLUME,
  type VirtualClock,
  virtualClock,
} from '@novella/testing';
import { Engine } from '../../apps/conductor/src/operations/engine.js';
import { SimulatedHost, SimulatedVolumes } from './simulated-world.js';

const silent: Log = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined };
const PROJECT = 'd'.repeat(32) as ProjectId;
const requester = (n: number) => ({
  requestId: `req-00000000-0000-4000-8000-${String(n).padStart(12, '0')}` as RequestId,
  userId: 'admin' as UserId,
  projectId: PROJECT,
});
const MAPPING_INPUT = {
  id: MAPPING,
  volumeId: VOLUME,
  size: gib(1),
  bus: 'virtio',
  device: null,
  bootIndex: null,
  tag: null,
  deleteOnTermination: false,
  multiattach: false,
} as const;

/** When a fault strikes: at the `call`-th call that an engine makes of its ports, before or after it has its effect. */
interface Fault {
  readonly call: number;
  readonly when: 'before' | 'after';
  readonly kind: 'error' | 'crash';
}

class Crash extends Error {}

/** One deployment: a store, a volume service, a host; engines come and go. */
class World {
  readonly clock: VirtualClock = virtualClock();
  readonly store: Store = openMemoryStore({ serviceDownTime: minutes(600), clock: this.clock });
  readonly volumes = new SimulatedVolumes();
  readonly host: SimulatedHost = new SimulatedHost((result) => {
    this.engine?.answer(result).catch(() => this.unrecorded.push(result));
  });
  /** Answers that no engine has recorded yet; the broker brings them again. */
  private readonly unrecorded: Parameters<Engine['answer']>[0][] = [];
  private engine: Engine | null = null;
  private engines = 0;
  private fault: Fault | null = null;
  calls = 0;

  async prepare(): Promise<void> {
    const { host, version, capabilities, connectorProperties, hypervisor, capacity } = service();
    const report = { host, version, capabilities, connectorProperties, hypervisor, capacity };
    await this.store.reportService({ ...report, binary: 'nova-compute' });
  }

  /** From here on calls are counted, and the fault strikes. */
  arm(fault: Fault | null): void {
    this.fault = fault;
    this.calls = 0;
  }

  /** Lets an engine work until nothing is open any more. */
  async settle(): Promise<void> {
    this.startEngine();
    for (let step = 0; step < 2_000; step++) {
      if ((await this.store.operations({ open: true, limit: 10 })).length === 0) break;
      for (const result of this.unrecorded.splice(0))
        await this.engine?.answer(result).catch(() => this.unrecorded.push(result));
      await this.clock.advanceToNext();
    }
    await this.engine?.stop();
  }

  /** What a user, Cinder and the host would see. */
  async snapshot() {
    const instance = await this.store.instanceEvenDeleted(SERVER);
    const mappings = (await this.store.blockDeviceMappings([SERVER])).get(SERVER) ?? [];
    const actions = await this.store.instanceActions(SERVER);
    const shown = await Promise.all(actions.map(({ requestId }) => this.store.instanceAction(SERVER, requestId)));
    const open = await this.store.operations({ open: true, limit: 10 });
    return {
      open: open.map(({ kind, state, step }) => ({ kind, state, step })),
      server: instance && {
        vmState: instance.vmState,
        taskState: instance.taskState,
        host: instance.host,
        deleted: instance.deletedAt !== null,
        fault: instance.fault?.message ?? null,
      },
      mappings: mappings.map(({ volumeId, attachedAt, size, guestBytes }) => {
        return { volumeId, attached: attachedAt !== null, size, guestBytes };
      }),
      actions: shown.map((action) => ({
        action: action?.action,
        message: action?.message,
        events: action?.events.map(({ event, result }) => ({ event, result })),
      })),
      attachments: [...this.volumes.records.values()],
      deletedVolumes: new Set(this.volumes.deleted),
      guests: [...this.host.guests].map(([server, volumes]) => ({ server, volumes: [...volumes] })),
      shrunk: this.host.shown.some((size, at) => size < (this.host.shown[at - 1] ?? 0)),
    };
  }

  private startEngine(): void {
    const life = { crashed: false };
    const breaking = <T extends object>(port: T): T => this.breaking(port, life);
    const io = {
      store: breaking(this.store),
      volumes: breaking(this.volumes),
      compute: () => breaking(this.host.client()),
      clock: this.clock,
      random: seededRandom(1),
      log: silent,
    };
    this.engine = new Engine(io, { name: `conductor-${++this.engines}`, concurrency: 8, sweep: seconds(5) });
    this.engine.start();
  }

  /** The same port, with the fault in it. */
  private breaking<T extends object>(port: T, life: { crashed: boolean }): T {
    return new Proxy(port, {
      get: (target, name) => {
        const method: unknown = Reflect.get(target, name);
        if (typeof method !== 'function') return method;
        return async (...args: unknown[]): Promise<unknown> => {
          if (life.crashed) throw new Crash('this engine is dead');
          const fault = ++this.calls === this.fault?.call ? this.fault : null;
          if (fault?.when === 'before') this.strike(fault, life);
          const answer: unknown = await (method.apply(target, args) as Promise<unknown>);
          if (fault?.when === 'after') this.strike(fault, life);
          return answer;
        };
      },
    });
  }

  /** A crashed engine reaches nothing any more; another one takes over. */
  private strike({ kind }: Fault, life: { crashed: boolean }): never {
    if (kind === 'error') throw new Error('broken by the test');
    life.crashed = true;
    void this.engine?.stop();
    this.startEngine();
    throw new Crash('killed by the test');
  }
}

/** What was accepted before the engine begins, and what the host or Cinder does wrong in it. */
type Story = (world: World) => Promise<void>;

async function acceptBuild({ store, volumes }: World, confirmed: boolean): Promise<void> {
  const created = await store.createInstance({
    instance: {
      id: SERVER,
      projectId: PROJECT,
      userId: 'admin' as UserId,
      name: 'server',
      description: null,
      flavor: flavor(),
      imageRef: null,
      diskBus: 'virtio',
      metadata: {},
      availabilityZone: null,
      keyName: null,
    },
    mappings: [{ ...MAPPING_INPUT, bootIndex: 0, deleteOnTermination: true }],
    requester: requester(1),
    confirmWithin: seconds(30),
  });
  const attachmentId = volumes.reserve(VOLUME, SERVER);
  if (confirmed) await store.confirmReservations(created.operation, [{ mapping: MAPPING, attachmentId }]);
}

/** The server is there, its build has ended. */
const built = async (world: World): Promise<void> => {
  await acceptBuild(world, true);
  await world.settle();
};

const acceptExtend = async ({ store, volumes }: World): Promise<void> => {
  volumes.sizes.set(VOLUME, gib(2));
  const operation = { kind: 'extend', serverId: SERVER, volumeTag: VOLUME } as const;
  const event = {
    name: 'volume-extended',
    serverId: SERVER,
    status: 'completed',
    tag: VOLUME,
    code: 200,
    operation,
  } as const;
  await store.acceptExternalEvents([event], requester(2));
};

const STORIES: Record<string, { before?: Story; story: Story; ends: object }> = {
  'a build with a boot volume': {
    story: (world) => acceptBuild(world, true),
    ends: { server: { vmState: 'active' }, mappings: [{ attached: true }], attachments: [{ state: 'attached' }] },
  },
  'a build that the host refuses for good': {
    story: (world) => {
      world.host.fails = { method: 'build_instance', code: 'image-refused', times: 1_000 };
      return acceptBuild(world, true);
    },
    ends: { server: { vmState: 'error', fault: 'image-refused' }, mappings: [], attachments: [], guests: [] },
  },
  'a build whose reservation nobody confirmed': {
    story: (world) => acceptBuild(world, false),
    ends: { server: { vmState: 'error' }, mappings: [], attachments: [] },
  },
  'a build whose volume Cinder does not connect': {
    story: (world) => {
      world.volumes.refuse = { call: 'connectAttachment', code: 'cinder-refused' };
      return acceptBuild(world, true);
    },
    ends: { server: { vmState: 'error' }, mappings: [], attachments: [], guests: [] },
  },
  'an extend': {
    before: built,
    story: acceptExtend,
    ends: { mappings: [{ size: 2, guestBytes: 2 ** 31 }], actions: [{ action: 'extend_volume', message: null }, {}] },
  },
  'an extend whose first answer is lost': {
    before: built,
    story: (world) => {
      world.host.losesAnswers = 1;
      return acceptExtend(world);
    },
    ends: { mappings: [{ size: 2 }], actions: [{ events: [{ result: 'Success' }] }, {}] },
  },
  'an extend that the host fails once and then does': {
    before: built,
    story: (world) => {
      world.host.fails = { method: 'extend_volume', code: 'host-device-too-small', times: 1 };
      return acceptExtend(world);
    },
    ends: { mappings: [{ size: 2 }], actions: [{ events: [{ result: 'Success' }] }, {}] },
  },
  'an extend of a disk that cannot grow': {
    before: built,
    story: (world) => {
      world.host.fails = { method: 'extend_volume', code: 'disk-cannot-grow', times: 1_000 };
      return acceptExtend(world);
    },
    ends: { mappings: [{ size: 1 }], actions: [{ message: 'Error', events: [{ result: 'Error' }] }, {}] },
  },
  'a delete': {
    before: built,
    story: async ({ store }) => {
      await store.requestDelete(SERVER, requester(2));
    },
    ends: { server: { deleted: true }, mappings: [], attachments: [], guests: [], deletedVolumes: new Set([VOLUME]) },
  },
  'a power update': {
    before: built,
    story: async ({ store }) => {
      const operation = { kind: 'power-update', serverId: SERVER, target: 'POWER_OFF' } as const;
      const posted = {
        name: 'power-update',
        serverId: SERVER,
        status: 'completed',
        tag: 'POWER_OFF',
        code: 200,
      } as const;
      await store.acceptExternalEvents([{ ...posted, operation }], requester(2));
    },
    ends: { server: { vmState: 'active' }, actions: [{ action: 'stop', message: 'Error' }, {}] },
  },
};

async function play(
  name: string,
  fault: Fault | null,
): Promise<{ calls: number; end: Awaited<ReturnType<World['snapshot']>> }> {
  const { before, story } = STORIES[name]!;
  const world = new World();
  await world.prepare();
  await before?.(world);
  await story(world);
  world.arm(fault);
  await world.settle();
  return { calls: world.calls, end: await world.snapshot() };
}

describe.each(Object.keys(STORIES))('%s', (name) => {
  it('ends as it should', async () => {
    const { end } = await play(name, null);
    expect(end).toMatchObject({ open: [], ...STORIES[name]!.ends, shrunk: false });
  });

  it.each([
    ['an error', 'before', 'error'],
    ['an error', 'after', 'error'],
    ['a crash', 'before', 'crash'],
    ['a crash', 'after', 'crash'],
  ] as const)('ends the same with %s right %s any call that the engine makes', async (_, when, kind) => {
    const clean = await play(name, null);
    for (let call = 1; call <= clean.calls; call++) {
      const { end } = await play(name, { call, when, kind });
      expect({ call, ...end }).toEqual({ call, ...clean.end });
    }
  });
});
