import { seededRandom } from '@novella/testing';
import { settle } from './accounting.js';
import { quantile } from './quantile.js';
import type { Accepted, Ledger } from './ledger.js';
import { Load } from './load.js';
import { inSeconds } from './report.js';
import type { Run, ScenarioResult } from './scenario.js';
import { attachVolumes, type GrowingVolume, volumesFor } from './volumes.js';
import { comesTrue, pause } from './waiting.js';

const BATCHES = 0.25;
/** Events for the other hosts, before and meanwhile: few at a time, so that what is measured is no queue. */
const MEASURED = 600;
const MEASURED_PER_S = 15;
const AWAY_PER_S = 50;
const P99_BAR = 1.2;
const DONE_BAR_MS = 30_000;
const END_LIMIT_MS = 120_000;

/** One host is away with events for it: the others must not feel it, and it catches up soon after its return. */
export async function hostAway(run: Run): Promise<ScenarioResult> {
  const { options, deployment, ledger, follower, signal, say } = run;
  const { events, awayS } = options;
  const volumes = await attachVolumes(deployment, volumesFor(events + 2 * MEASURED, deployment.hosts.length), signal);
  const [away = ''] = deployment.hosts;
  const others = volumes.filter(({ host }) => host !== away);
  const its = volumes.filter(({ host }) => host === away);
  if (others.length === 0 || its.length === 0) throw new Error('the volumes are all on one host');

  await measure(run, others, 1);
  say('now what the other hosts take');
  const before = await measure(run, others, 2);
  await deployment.takeAway(away);
  const awayAt = performance.now();
  say(`${away} is away`);
  await post(run, { volumes: its, events, perSecond: AWAY_PER_S, seed: 3, batches: BATCHES });
  const meanwhile = await measure(run, others, 4);
  await pause(awayAt + awayS * 1_000 - performance.now(), signal);
  const open = follower.open;
  const backOnClock = Date.now();
  await deployment.bringBack(away);
  say(`${away} is started again, ${open} events wait for it`);
  const { verdict } = await settle(deployment, { ledger, follower, signal });
  const doneInMs = Math.max(0, lastEnd(ledger, its) - backOnClock);
  const ratio = meanwhile.p99 / before.p99;
  return {
    verdict,
    recoveries: [],
    more: [
      ['others, before', figures(before)],
      ['others, meanwhile', `${figures(meanwhile)}; p99 is ${ratio.toFixed(2)} x`],
      ['waited for the host', `${open} events`],
      ['its events done', `${inSeconds(doneInMs)} after its start`],
    ],
    missed: [
      ...(ratio > P99_BAR ? [`p99 of the other hosts is ${ratio.toFixed(2)} x, not ${P99_BAR} x`] : []),
      ...(doneInMs > DONE_BAR_MS
        ? [`its events were done after ${inSeconds(doneInMs)}, not ${inSeconds(DONE_BAR_MS)}`]
        : []),
    ],
  };
}

interface Latency {
  readonly p50: number;
  readonly p99: number;
}

const figures = ({ p50, p99 }: Latency): string => `p50 ${p50.toFixed(0)} ms, p99 ${p99.toFixed(0)} ms`;

interface Posting {
  readonly volumes: readonly GrowingVolume[];
  readonly events: number;
  readonly perSecond: number;
  readonly seed: number;
  readonly batches: number;
}

/** Answers what was accepted. */
async function post(run: Run, { volumes, events, perSecond, seed, batches }: Posting): Promise<Accepted[]> {
  const { deployment, ledger, signal, options } = run;
  const first = ledger.accepted.length;
  const random = seededRandom(options.seed + seed);
  const overMs = (events / perSecond) * 1_000;
  await new Load({ cloud: deployment.cloud, ledger, volumes, random, signal, events, overMs, batches }).run();
  return ledger.accepted.slice(first);
}

/** From the POST until the end is recorded, of single events. */
async function measure(run: Run, volumes: readonly GrowingVolume[], seed: number): Promise<Latency> {
  const { ledger, signal } = run;
  const events = await post(run, { volumes, events: MEASURED, perSecond: MEASURED_PER_S, seed, batches: 0 });
  const ended = await comesTrue(() => events.every((event) => ledger.endings.has(event)), END_LIMIT_MS, signal);
  if (!ended) throw new Error('events of hosts that are there do not end');
  const took = events.map((event) => (ledger.endings.get(event)?.finishedAt ?? 0) - event.postedAt);
  return { p50: quantile(took, 0.5), p99: quantile(took, 0.99) };
}

function lastEnd({ endings }: Ledger, volumes: readonly GrowingVolume[]): number {
  const its = new Set(volumes.map(({ volume }) => volume));
  return [...endings].reduce(
    (last, [{ volume }, { finishedAt }]) => (its.has(volume) ? Math.max(last, finishedAt) : last),
    0,
  );
}
