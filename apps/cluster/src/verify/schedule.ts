import type { Random } from '@novella/core';

export type FaultKind = 'kill' | 'freeze' | 'restart';

/** One fault: what is done to which part, and when, in ms from the beginning. */
export interface Fault {
  readonly atMs: number;
  readonly part: string;
  readonly kind: FaultKind;
  /** freeze: how long. kill and restart of broker, Postgres: how long until it is started; the rest starts by itself. */
  readonly holdMs: number;
  /** Comes when nothing else is broken, and nothing else before it is mended: so that its recovery is seen by itself. */
  readonly alone: boolean;
}

export interface Schedule {
  readonly faults: readonly Fault[];
  readonly lengthMs: number;
}

export interface ScheduleOptions {
  readonly kills: number;
  readonly parts: readonly string[];
  /** Squeezes or stretches the faults to this length; null: most come when the one before is mended. */
  readonly lengthMs: number | null;
}

/** One freeze and one restart come with so many kills. */
const KILLS_PER_OTHER = 5;
const LONGEST_FREEZE_MS = 20_000;
const LONGEST_AWAY_MS = 2_000;
/** Until the next fault, on average: long enough that most recoveries are seen alone, and some are not. */
const GAP_MS = { rabbitmq: 8_000, postgres: 4_500, other: 3_500 } as const;
/** A freeze goes on beside what comes after it. */
const GAP_AFTER_FREEZE_MS = 2_000;
/** Of the kills of one part: the second, the fifth and so on. */
const ALONE_EVERY = 3;

/** Pure: the same seed gives the same faults. Each part is killed equally often, give or take one. */
export function schedule(random: Random, { kills, parts, lengthMs }: ScheduleOptions): Schedule {
  const others = Math.ceil(kills / KILLS_PER_OTHER);
  const kinds: FaultKind[] = [
    ...repeated<FaultKind>('kill', kills),
    ...repeated<FaultKind>('freeze', others),
    ...repeated<FaultKind>('restart', others),
  ];
  const decks = { kill: deck(parts, random), freeze: deck(parts, random), restart: deck(parts, random) };
  const faults: Fault[] = [];
  const killsOf = new Map<string, number>();
  let atMs = 0;
  for (const kind of shuffled(kinds, random)) {
    const part = decks[kind]();
    const nth = (killsOf.get(part) ?? 0) + (kind === 'kill' ? 1 : 0);
    killsOf.set(part, nth);
    const alone = kind === 'kill' && nth % ALONE_EVERY === 2;
    faults.push({ atMs, part, kind, holdMs: holdOf(kind, random), alone });
    atMs += gapAfter(kind, part) * (0.6 + 0.8 * random.fraction());
  }
  const stretch = lengthMs === null || atMs === 0 ? 1 : lengthMs / atMs;
  return {
    faults: faults.map((fault) => ({ ...fault, atMs: Math.round(fault.atMs * stretch) })),
    lengthMs: Math.round(atMs === 0 ? (lengthMs ?? 0) : atMs * stretch),
  };
}

function holdOf(kind: FaultKind, random: Random): number {
  const fraction = random.fraction();
  switch (kind) {
    case 'freeze':
      // Mostly short; the square has a third of them above 2 s and the longest at 20 s.
      return Math.round(500 + (LONGEST_FREEZE_MS - 500) * fraction ** 2);
    case 'kill':
    case 'restart':
      return Math.round(LONGEST_AWAY_MS * fraction);
  }
}

function gapAfter(kind: FaultKind, part: string): number {
  if (kind === 'freeze') return GAP_AFTER_FREEZE_MS;
  return part === 'rabbitmq' || part === 'postgres' ? GAP_MS[part] : GAP_MS.other;
}

const repeated = <T>(value: T, times: number): T[] => Array.from({ length: times }, () => value);

/** Deals all once, in an order of chance, before any comes again. */
function deck(all: readonly string[], random: Random): () => string {
  let left: string[] = [];
  return () => {
    if (left.length === 0) left = shuffled(all, random);
    const dealt = left.pop();
    if (dealt === undefined) throw new Error('there is no part to break');
    return dealt;
  };
}

export function shuffled<T>(values: readonly T[], random: Random): T[] {
  const mixed = [...values];
  for (let last = mixed.length - 1; last > 0; last -= 1) {
    const other = Math.floor(random.fraction() * (last + 1));
    [mixed[last], mixed[other]] = [mixed[other] as T, mixed[last] as T];
  }
  return mixed;
}
