import { assertNever, type HostName, type Millis, millis, minutes, seconds, type ServerId } from '@novella/core';
import type { Chance } from './chance.js';
import type { RunningProcess } from './run-processes.js';
import type { SimulatedHost } from './simulated-host.js';
import { HOSTS, type ProcessName, PROCESSES, type World } from './world.js';

const WEIGHTS = {
  crash: 30,
  'stand still': 14,
  'cut off': 10,
  'broker away': 6,
  'broker restarts': 4,
  'broker full': 4,
  'store away': 6,
  'cinder away': 6,
  'clock jumps': 4,
  'host loses power': 5,
  'host away for long': 5,
  'hypervisor away': 5,
  'guest changes': 12,
  'guest is deaf': 3,
  'volume is busy': 4,
} as const;
export type Fault = keyof typeof WEIGHTS;

/** So many faults at moments within `span` seconds; each heals by itself after a while, or when `heal` is called. */
export async function faultsAtRandom(world: World, count: number, span: number, mostly: Fault | null): Promise<void> {
  const chance = world.chance.of('faults');
  // Some deployments have one sickness above all.
  const often = mostly ?? (chance.is(0.4) ? chance.pick(Object.keys(WEIGHTS) as Fault[]) : null);
  const weights = often === null ? WEIGHTS : { ...WEIGHTS, [often]: 200 };
  const moments = Array.from({ length: count }, () => chance.fraction() * span * 1_000).sort((a, b) => a - b);
  for (const [index, moment] of moments.entries()) {
    const wait = millis(Math.max(0, Math.round(moment - world.clock.monotonic())));
    if (wait > 0) await world.clock.sleep(wait);
    if (world.isHealed) return;
    await strike(world, chance.weighted(weights), chance.of(`fault ${index}`));
  }
}

async function strike(world: World, fault: Fault, chance: Chance): Promise<void> {
  const { broker, clock, trace } = world;
  const later = (delay: Millis, then: () => unknown): void => {
    void clock.sleep(delay).then(() => (world.isHealed ? undefined : then()));
  };
  const upTo = (longest: Millis): Millis => chance.timeOfAnyOrder(seconds(1), longest);
  const name = chance.pick(PROCESSES);
  const running = runningProcess(world, name);
  const host = hostOf(world, chance.pick(HOSTS));
  trace.say('fault', `${fault} ${name}`);
  switch (fault) {
    case 'crash':
      running.process.atCall(chance.whole(0, 30), () => running.process.die());
      break;
    case 'stand still': {
      if (name === 'api') break;
      const length = chance.is(0.5) ? upTo(minutes(2)) : chance.time(minutes(1), minutes(6));
      running.process.atCall(chance.whole(0, 20), () => standStill(world, running, length));
      break;
    }
    case 'cut off':
      running.cut();
      later(upTo(minutes(2)), () => (broker.running ? running.reconnect() : undefined));
      break;
    case 'broker away':
      broker.stop();
      later(upTo(minutes(3)), () => brokerBack(world));
      break;
    case 'broker restarts':
      broker.restart();
      dropStandingStill(world);
      break;
    case 'broker full':
      broker.block('memory');
      later(upTo(minutes(4)), () => broker.block(null));
      break;
    case 'store away':
      world.rates.storeOutage = true;
      later(upTo(minutes(2)), () => (world.rates.storeOutage = false));
      break;
    case 'cinder away':
      world.cinderFaults.outage = chance.pick(['cinder-unreachable', 'cinder-answer-invalid', 'cinder-unauthorized']);
      later(upTo(minutes(3)), () => (world.cinderFaults.outage = null));
      break;
    case 'clock jumps':
      running.clock.jump(chance.time(millis(0), minutes(10)), chance.time(minutes(-60), minutes(60)));
      break;
    case 'host loses power':
      stopHost(world, host.name, upTo(minutes(5)));
      await host.losePower();
      break;
    case 'host away for long':
      stopHost(world, host.name, chance.time(seconds(70), minutes(8)));
      break;
    case 'hypervisor away':
      world.hypervisorFaults.outage = 'hypervisor-unreachable';
      later(upTo(minutes(2)), () => hypervisorBack(world));
      break;
    case 'guest changes':
      await guestChanges(world, chance);
      break;
    case 'guest is deaf': {
      const guests = await host.hypervisor.guests();
      if (guests.length > 0) host.hypervisor.setDeaf(chance.pick(guests).server, true);
      break;
    }
    case 'volume is busy': {
      const volume = chance.pick([...world.cinder.volumes.keys()]);
      host.hypervisor.setBusy(volume, true);
      later(upTo(minutes(3)), () => host.hypervisor.setBusy(volume, false));
      break;
    }
    default:
      assertNever(fault);
  }
}

function hostOf({ hosts }: World, name: HostName): SimulatedHost {
  const host = hosts.get(name);
  if (host === undefined) throw new Error(`there is no host ${name}`);
  return host;
}

function runningProcess({ running }: World, name: ProcessName): RunningProcess {
  const found = running.get(name);
  if (found === undefined) throw new Error(`${name} was never started`);
  return found;
}

/** The broker gives up a connection that says nothing for so long. */
const HEARTBEAT_LIMIT = seconds(30);

function standStill(world: World, running: RunningProcess, length: Millis): void {
  running.process.freeze();
  const later = (delay: Millis, then: () => void) => void world.clock.sleep(delay).then(then);
  if (length > HEARTBEAT_LIMIT) later(HEARTBEAT_LIMIT, () => (running.process.isFrozen ? running.cut() : null));
  later(length, () => wake(running));
}

function wake(running: RunningProcess): void {
  running.process.thaw();
  running.reconnect();
}

function stopHost(world: World, host: HostName, length: Millis): void {
  const name = host as ProcessName;
  world.keptDown.add(name);
  runningProcess(world, name).process.die();
  void world.clock.sleep(length).then(() => world.startIfDead(name));
}

function brokerBack(world: World): void {
  world.broker.start();
  dropStandingStill(world);
}

/** Who stands still cannot connect anew. */
function dropStandingStill({ running }: World): void {
  for (const one of running.values()) if (one.process.isFrozen) one.cut();
}

async function hypervisorBack(world: World): Promise<void> {
  world.hypervisorFaults.outage = null;
  await Promise.resolve();
  for (const { hypervisor } of world.hosts.values()) {
    hypervisor.setReachable(false);
    hypervisor.setReachable(true);
  }
}

/** Somebody inside a guest, or beside us at the hypervisor, changes its power. */
async function guestChanges(world: World, chance: Chance): Promise<void> {
  const server = chance.pick([...world.servers]);
  const found = await world.guestOf(server);
  if (found === null) return;
  const { hypervisor } = hostOf(world, found.host);
  const to = found.guest.run === null ? 'running' : chance.pick(['shutdown', 'crashed', 'paused', 'saved'] as const);
  await hypervisor.setPowerState(server, to).catch(() => undefined);
  if (to !== 'paused') return;
  void world.clock.sleep(chance.timeOfAnyOrder(seconds(1), minutes(3))).then(() => resume(world, server));
}

async function resume(world: World, server: ServerId): Promise<void> {
  const found = await world.guestOf(server);
  if (found?.guest.powerState !== 'paused') return;
  await world.hosts.get(found.host)?.hypervisor.setPowerState(server, 'running');
}

/** Everything that is broken is whole again, and whoever is dead or stands still works. */
export async function heal(world: World): Promise<void> {
  world.trace.say('fault', 'all is healed');
  world.isHealed = true;
  Object.assign(world.rates, {
    storeSlow: 0,
    storeFails: 0,
    storeOutage: false,
    messageLost: 0,
    confirmLost: 0,
    publishRefused: 0,
  });
  for (const faults of [world.cinderFaults, world.hypervisorFaults, world.deviceFaults]) {
    Object.assign(faults, { slow: 0, failing: 0, outage: null });
  }
  world.broker.block(null);
  if (!world.broker.running) world.broker.start();
  for (const running of world.running.values()) {
    running.process.spare();
    wake(running);
  }
  for (const name of PROCESSES) world.startIfDead(name);
  await hypervisorBack(world);
  for (const { hypervisor } of world.hosts.values()) {
    for (const { server } of await hypervisor.guests()) hypervisor.setDeaf(server, false);
    for (const volume of world.cinder.volumes.keys()) hypervisor.setBusy(volume, false);
  }
  for (const server of world.servers) await resume(world, server);
}
