import { type HostName, millis, seconds, type ServerId, type VolumeId } from '@novella/core';
import { InMemoryBroker } from '@novella/messaging';
import { EVERY_PROJECT, openMemoryStore, type Store } from '@novella/persistence';
import { promisesHaveRun, type VirtualClock, virtualClock } from '@novella/testing';
import { type Api, startApi } from './api-process.js';
import type { CallFaults } from './call-faults.js';
import { Chance } from './chance.js';
import { Cinder } from './cinder.js';
import type { DeploymentIo, Mutation } from './deployment-io.js';
import type { StoreCall } from './gated-store.js';
import { observedStore } from './observed-store.js';
import { type RunningProcess, startCompute, startConductor } from './run-processes.js';
import { type CurrentCommand, type Effect, SimulatedHost } from './simulated-host.js';
import { Storage } from './storage.js';
import { Trace } from './trace.js';
import type { AskedFor, Watch } from './watch.js';
import { checkEffect, checkStep } from './watch-effects.js';

export const HOSTS = ['compute-1', 'compute-2'] as HostName[];
export const PROCESSES = ['conductor-a', 'conductor-b', 'compute-1', 'compute-2', 'api'] as const;
export type ProcessName = (typeof PROCESSES)[number];

const NO_FAULTS: CallFaults = { slow: 0, longest: millis(0), failing: 0, codes: ['internal'], outage: null };

/** Shares of single calls and messages that go wrong. */
export interface Rates {
  storeSlow: number;
  storeFails: number;
  storeOutage: boolean;
  messageLost: number;
  confirmLost: number;
  publishRefused: number;
}

/** A whole deployment on one virtual clock: what is there, who runs, and what was seen to be wrong. */
export class World implements Watch {
  readonly clock: VirtualClock = virtualClock({ settle: promisesHaveRun });
  readonly chance: Chance;
  readonly ids: Chance;
  readonly trace: Trace;
  readonly violations: string[] = [];
  readonly asked: AskedFor[] = [];
  readonly effects: Effect[] = [];
  readonly endedFences = new Map<string, number>();
  /** All that there ever was. */
  readonly servers = new Set<ServerId>();
  readonly rates: Rates = {
    storeSlow: 0,
    storeFails: 0,
    storeOutage: false,
    messageLost: 0,
    confirmLost: 0,
    publishRefused: 0,
  };
  readonly cinderFaults = { ...NO_FAULTS };
  readonly hypervisorFaults = { ...NO_FAULTS };
  readonly deviceFaults = { ...NO_FAULTS };
  readonly store: Store;
  readonly storage: Storage;
  readonly broker: InMemoryBroker;
  readonly cinder: Cinder;
  readonly hosts: ReadonlyMap<HostName, SimulatedHost>;
  readonly running = new Map<ProcessName, RunningProcess>();
  /** No process that is dead starts again by itself. */
  readonly keptDown = new Set<ProcessName>();
  /** From then on nothing goes wrong any more. */
  isHealed = false;
  api: Api | null = null;
  private readonly deployment: DeploymentIo;
  private runs = 0;

  constructor(seed: number, { keepTrace, mutation }: { keepTrace: boolean; mutation: Mutation | null }) {
    const { clock } = this;
    this.chance = new Chance(seed);
    this.ids = this.chance.of('ids');
    this.trace = new Trace(clock, keepTrace);
    const uuids = this.chance.of('uuids of the store');
    const inner = openMemoryStore({ serviceDownTime: seconds(60), clock, uuid: () => uuids.uuid() });
    this.store = observedStore(inner, this);
    this.storage = new Storage(clock);
    const hops = this.chance.of('hops');
    this.broker = new InMemoryBroker({
      clock,
      latency: () => (hops.is(0.05) ? hops.timeOfAnyOrder(millis(2), seconds(2)) : millis(1)),
      deliveryLimit: this.chance.of('limit').pick([20, 20, 3, null]),
    });
    this.cinder = new Cinder(this.chance.of('cinder'), this.storage, (server, volume) => this.guestHas(server, volume));
    const { hypervisorFaults, deviceFaults, trace, storage } = this;
    const onEffect = (effect: Effect) => checkEffect(this, effect);
    const chance = this.chance.of('hosts');
    const onStep = (command: CurrentCommand) => checkStep(this, command);
    const io = { clock, chance, trace, storage, hypervisorFaults, deviceFaults, onStep, onEffect };
    this.hosts = new Map(HOSTS.map((name) => [name, new SimulatedHost(name, io)]));
    const calls = this.chance.of('store calls');
    const publishes = this.chance.of('publishes');
    this.deployment = {
      clock,
      chance: this.chance.of('processes'),
      trace,
      broker: this.broker,
      store: this.store,
      locks: new Map(),
      cinder: this.cinder,
      hosts: this.hosts,
      cinderFaults: this.cinderFaults,
      nextStoreCall: () => this.storeCall(calls),
      nextPublish: () => this.publishFault(publishes),
      mutation,
      log: (who) => this.trace.log(who),
    };
  }

  start(name: ProcessName): void {
    const run = (this.runs += 1);
    this.trace.say(name, 'starts');
    const started = this.started(name, run);
    this.running.set(name, started);
    const { process } = started;
    process.onDeath(() => {
      const pause = this.chance.of(`restart ${run}`).timeOfAnyOrder(millis(300), seconds(60));
      void this.clock.sleep(this.isHealed ? seconds(1) : pause).then(() => {
        if (!this.keptDown.has(name)) this.startIfDead(name);
      });
    });
  }

  startIfDead(name: ProcessName): void {
    this.keptDown.delete(name);
    if (this.running.get(name)?.process.isDead !== false) this.start(name);
  }

  /** Its guest on the host that has it; of a server that is on none, null. */
  async guestOf(server: ServerId) {
    for (const host of this.hosts.values()) {
      const guest = await host.hypervisor.guest(server);
      if (guest !== null) return { host: host.name, guest };
    }
    return null;
  }

  /** Also servers of which the client never heard. */
  async findServers(): Promise<void> {
    const found = await this.store.instances({ projectId: EVERY_PROJECT, limit: 1_000, marker: null });
    if (typeof found !== 'string') for (const { id } of found) this.servers.add(id);
  }

  wrong(what: string): void {
    this.trace.say('WRONG', what);
    this.violations.push(what);
  }

  private started(name: ProcessName, run: number): RunningProcess {
    switch (name) {
      case 'conductor-a':
      case 'conductor-b':
        return startConductor(this.deployment, name, run);
      case 'compute-1':
      case 'compute-2':
        return startCompute(this.deployment, name as HostName, run);
      case 'api': {
        const { running, api } = startApi(this.deployment, name, run);
        this.api = api;
        return running;
      }
    }
  }

  private async guestHas(server: ServerId, volume: VolumeId): Promise<boolean> {
    const found = await this.guestOf(server);
    return found?.guest.disks.some((disk) => disk.volume === volume) ?? false;
  }

  private storeCall(chance: Chance): StoreCall {
    const { storeSlow, storeFails, storeOutage } = this.rates;
    const time = () =>
      storeSlow > 0 && chance.is(storeSlow) ? chance.timeOfAnyOrder(millis(1), seconds(2)) : millis(0);
    if (storeOutage) return { there: millis(0), back: millis(0), fails: 'before' as const };
    const fails = storeFails > 0 && chance.is(storeFails) ? chance.pick(['before', 'after'] as const) : 'no';
    return { there: time(), back: time(), fails };
  }

  private publishFault(chance: Chance) {
    const { messageLost, confirmLost, publishRefused } = this.rates;
    const total = messageLost + confirmLost + publishRefused;
    if (total === 0 || !chance.is(total)) return 'none';
    return chance.weighted({ lost: messageLost, 'confirm-lost': confirmLost, refused: publishRefused });
  }
}
