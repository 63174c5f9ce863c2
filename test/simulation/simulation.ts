import { millis, minutes, seconds } from '@novella/core';
import { type Fault, faultsAtRandom, heal } from './discrete-faults.js';
import type { Mutation } from './deployment-io.js';
import { unsettled } from './end-state.js';
import { askAtRandom, resumeAll } from './requests.js';
import { setUp } from './set-up.js';
import { PROCESSES, World } from './world.js';

export interface Ran {
  readonly seed: number;
  /** What was wrong; empty: nothing. */
  readonly violations: readonly string[];
  /** Equal for two runs of one seed. */
  readonly digest: string;
  /** All that happened; empty unless it was to be kept. */
  readonly trace: readonly string[];
  readonly accepted: number;
  /** Virtual time. */
  readonly took: number;
}

export interface SimulationOptions {
  readonly keepTrace?: boolean;
  readonly mutation?: Mutation;
  /** What goes wrong more often than anything else; the seed says what unless it is given. */
  readonly mostly?: Fault;
}

/** pains-and-peers 4b: what is neither ended nor parked with a reason so long after the last fault is lost. */
const PARKED_AFTER = seconds(120);
/** All deadlines, backoffs, leases and two passes of the reconciler. */
const ENDED_AFTER = minutes(45);
const LOOK_EVERY = seconds(5);
/** Every effect of a host ends by itself before that, so no deadline is further away. */
const LONGEST_WAIT = minutes(15);

/** One deployment, from its start over requests and faults until all has healed and ended. */
export async function simulate(seed: number, options: SimulationOptions = {}): Promise<Ran> {
  const { keepTrace = false, mutation, mostly = null } = options;
  const world = new World(seed, { keepTrace, mutation: mutation ?? null });
  const { chance, clock } = world;
  const shape = chance.of('shape');
  const isCalm = shape.is(0.1);
  const span = shape.whole(20, 240);
  await setUp(world, shape.whole(2, 3), shape.whole(1, 2));
  for (const name of PROCESSES) world.start(name);
  await clock.advance(seconds(3));

  if (!isCalm) setRates(world);
  const asking = askAtRandom(world, shape.whole(5, 15), span);
  const failing = isCalm ? Promise.resolve() : faultsAtRandom(world, shape.whole(1, 8), span, mostly);
  await clock.advance(seconds(span + shape.whole(1, 60)));
  await asking;
  await heal(world);
  await failing;
  await untilSettled(world);
  world.violations.push(...world.cinder.wrongs);
  const { violations, trace, asked } = world;
  const accepted = asked.filter((one) => one.accepted).length;
  return { seed, violations, digest: trace.digest, trace: trace.lines, accepted, took: clock.monotonic() };
}

function setRates({ chance, rates, cinderFaults, hypervisorFaults, deviceFaults }: World): void {
  const shape = chance.of('rates');
  const share = (most: number) => (shape.is(0.5) ? 0 : most * shape.fraction() ** 2);
  rates.storeSlow = share(0.3);
  rates.storeFails = share(0.04);
  rates.messageLost = share(0.06);
  rates.confirmLost = share(0.06);
  rates.publishRefused = share(0.06);
  const longest = () => shape.timeOfAnyOrder(millis(50), seconds(30));
  Object.assign(cinderFaults, {
    slow: share(0.5),
    longest: longest(),
    failing: share(0.1),
    codes: ['cinder-unreachable', 'cinder-answer-invalid'],
  });
  Object.assign(hypervisorFaults, {
    slow: share(0.4),
    longest: longest(),
    failing: share(0.06),
    codes: ['hypervisor-unreachable', 'hypervisor-refused', 'internal'],
  });
  Object.assign(deviceFaults, {
    slow: share(0.3),
    longest: longest(),
    failing: share(0.06),
    codes: ['host-device-missing', 'paths-down'],
  });
}

async function untilSettled(world: World): Promise<void> {
  const { clock } = world;
  const healed = clock.monotonic();
  let problems: string[] = [];
  for (let looked = false; clock.monotonic() < healed + ENDED_AFTER;) {
    await clock.advance(LOOK_EVERY);
    await resumeAll(world);
    problems = await unsettled(world);
    if (problems.length === 0) return;
    if (!looked && clock.monotonic() >= healed + PARKED_AFTER) {
      looked = true;
      await mustBeParked(world);
    }
  }
  for (const problem of problems) world.wrong(problem);
}

/** What is still open has somebody who goes on with it, and a time when. */
async function mustBeParked(world: World): Promise<void> {
  const now = world.clock.wallTime().getTime();
  for (const { id, kind, state, nextAt, deadline, waitingFor } of await world.store.operations({
    open: true,
    limit: 1_000,
  })) {
    const next = state === 'waiting' ? nextAt : state === 'dispatched' ? deadline : new Date(now);
    const reason = state !== 'waiting' || waitingFor !== null;
    if (next === null || !reason || next.getTime() > now + LONGEST_WAIT)
      world.wrong(`${kind} ${id} is parked without an end`);
  }
}
