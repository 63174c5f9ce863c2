import type { FaultKind } from './schedule.js';

/** One fault as it went; times in ms by one clock. */
export interface Recovery {
  readonly part: string;
  readonly kind: FaultKind;
  readonly at: number;
  /**
   * From where the time counts: of our own processes the kill, of broker and Postgres the moment in which they answered
   * again, of anything frozen the moment in which it went on.
   */
  readonly from: number;
  /** Our own process serves; for broker and Postgres all of them do. null: not when it was looked at for the last time. */
  readonly servedAt: number | null;
}

export interface RecoveryRow {
  readonly part: string;
  readonly kills: number;
  /** Kills during whose recovery nothing else was broken, and how long the slowest and the middle one took. */
  readonly alone: number;
  readonly medianMs: number | null;
  readonly slowestMs: number | null;
  /** The slowest of all, also of those that met other faults. */
  readonly slowestOfAllMs: number | null;
}

/** Pure: what the kills of each part cost, by part. */
export function recoveryRows(recoveries: readonly Recovery[]): RecoveryRow[] {
  const kills = recoveries.filter(({ kind }) => kind === 'kill');
  return [...new Set(kills.map(({ part }) => part))].toSorted().map((part) => {
    const mine = kills.filter((one) => one.part === part);
    const alone = times(mine.filter((one) => isAlone(one, recoveries)));
    return {
      part,
      kills: mine.length,
      alone: alone.length,
      medianMs: alone[Math.floor(alone.length / 2)] ?? null,
      slowestMs: alone.at(-1) ?? null,
      slowestOfAllMs: times(mine).at(-1) ?? null,
    };
  });
}

/** Nothing else was broken, or still recovering, at any moment of it. */
function isAlone(one: Recovery, all: readonly Recovery[]): boolean {
  const end = ({ servedAt }: Recovery): number => servedAt ?? Number.POSITIVE_INFINITY;
  return all.every((other) => other === one || other.at > end(one) || end(other) < one.at);
}

const times = (recoveries: readonly Recovery[]): number[] =>
  recoveries.flatMap(({ from, servedAt }) => (servedAt === null ? [] : [servedAt - from])).toSorted((a, b) => a - b);
