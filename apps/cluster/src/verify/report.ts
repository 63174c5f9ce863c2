import { type Breach, holds, type Verdict } from './judge.js';
import type { Ledger } from './ledger.js';
import type { RecoveryRow } from './recoveries.js';

const BREACHES_SHOWN = 20;
/** What issue and docs promise: our own processes from the kill, the others' users from their answering again. */
const RECOVERY_BAR_MS = { own: 10_000, infrastructure: 3_000 } as const;

export interface Facts {
  readonly verdict: Verdict;
  readonly ledger: Pick<Ledger, 'refusedPosts'>;
  /** Further lines: name and value. */
  readonly more: readonly (readonly [string, string])[];
  readonly recoveries: readonly RecoveryRow[];
  readonly seed: number;
  /** What a scenario promises beside that nothing is lost, and that it has not kept. */
  readonly missed: readonly string[];
}

/** Pure: the figures of one run, for people; the last line says whether every promise was kept. */
export function report({ verdict, ledger, more, recoveries, seed, missed }: Facts): string {
  const { lost, doubleApplied, falseSuccess, slowestMs } = verdict;
  const rows: readonly (readonly [string, string])[] = [
    ['accepted', String(verdict.accepted)],
    ['done', String(verdict.done)],
    ['failed', counts(verdict.failed)],
    ['parked', counts(verdict.parked)],
    ['lost', String(lost.length)],
    ['double-applied', `${doubleApplied.length}, of ${verdict.sizeChanges} changes of a size`],
    ['false success', String(falseSuccess.length)],
    ['slowest', slowestMs === null ? '-' : inSeconds(slowestMs)],
    ['POSTs not accepted', counts(ledger.refusedPosts)],
    ...more,
  ];
  return [
    ...rows.map(([name, value]) => `${name.padEnd(20)} ${value}`),
    ...recoveries.map(recoveryLine),
    `${'seed'.padEnd(20)} ${seed}`,
    ...breachLines('lost', lost),
    ...breachLines('double-applied', doubleApplied),
    ...breachLines('false success', falseSuccess),
    ...missed.map((what) => `missed: ${what}`),
    holds(verdict) && missed.length === 0 ? 'every promise was kept' : 'A PROMISE IS BROKEN',
    '',
  ].join('\n');
}

function recoveryLine({ part, kills, alone, medianMs, slowestMs, slowestOfAllMs }: RecoveryRow): string {
  const bar = RECOVERY_BAR_MS[part === 'rabbitmq' || part === 'postgres' ? 'infrastructure' : 'own'];
  const times =
    medianMs === null || slowestMs === null
      ? 'none alone'
      : `${alone} alone: ${inSeconds(medianMs)} in the middle, ${inSeconds(slowestMs)} at most` +
        (slowestMs > bar ? ` (more than ${inSeconds(bar)})` : '');
  const all = slowestOfAllMs === null ? '' : `; beside other faults ${inSeconds(slowestOfAllMs)} at most`;
  return `${`back: ${part}`.padEnd(20)} ${kills} kills, ${times}${all}`;
}

function breachLines(name: string, breaches: readonly Breach[]): string[] {
  const lines = breaches
    .slice(0, BREACHES_SHOWN)
    .map(({ server, volume, what }) => `${name}: server ${server} volume ${volume}: ${what}`);
  return breaches.length > BREACHES_SHOWN ? [...lines, `${name}: and ${breaches.length - BREACHES_SHOWN} more`] : lines;
}

/** `3: cinder-unreachable 2, internal 1` */
function counts(byName: ReadonlyMap<string, number>): string {
  const all = [...byName].toSorted(([a], [b]) => a.localeCompare(b));
  const total = all.reduce((sum, [, count]) => sum + count, 0);
  return total === 0 ? '0' : `${total}: ${all.map(([name, count]) => `${name} ${count}`).join(', ')}`;
}

export const inSeconds = (ms: number): string => `${(ms / 1_000).toFixed(1)} s`;
