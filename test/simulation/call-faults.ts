import { type Clock, type ErrorCode, type Millis, millis, NovellaError } from '@novella/core';
import type { Chance } from './chance.js';
import type { SimulatedProcess } from './process.js';

/** How one call of a service or of the hypervisor goes. */
export interface CallFate {
  readonly there: Millis;
  readonly back: Millis;
  /** before: nothing was done; after: all was done, and nobody hears of it. */
  readonly fails: 'no' | 'before' | 'after';
  readonly code: ErrorCode;
}

export interface CallFaults {
  /** Share of the calls that take time, and the longest time. */
  slow: number;
  longest: Millis;
  /** Share of the calls that fail, each before or after they were done. */
  failing: number;
  codes: readonly ErrorCode[];
  /** Every call fails before it does anything, with this. */
  outage: ErrorCode | null;
}

/** One call of `process` to somebody outside, with what happens on the way. */
export function callOutside<T>(
  process: SimulatedProcess,
  io: { readonly clock: Clock; readonly chance: Chance; readonly faults: CallFaults },
  effect: () => Promise<T>,
  inLine: (work: () => Promise<T>) => Promise<T> = (work) => work(),
  pace: 'at work' | 'sent at once' = 'at work',
): Promise<T> {
  const { clock, chance, faults } = io;
  return process.call(
    () =>
      inLine(async () => {
        const { there, back, fails, code } = fateOf(chance, faults);
        if (there > 0) await clock.sleep(there);
        if (faults.outage !== null) throw new NovellaError(faults.outage, 'it is away');
        if (fails === 'before') throw new NovellaError(code, 'it fails before anything was done');
        const answer = await effect();
        if (back > 0) await clock.sleep(back);
        if (fails === 'after') throw new NovellaError(code, 'its answer was lost');
        return answer;
      }),
    pace,
  );
}

function fateOf(chance: Chance, { slow, longest, failing, codes }: CallFaults): CallFate {
  const time = (): Millis => (slow > 0 && chance.is(slow) ? chance.timeOfAnyOrder(millis(5), longest) : millis(0));
  const there = time();
  const back = time();
  const fails = failing > 0 && chance.is(failing) ? chance.pick(['before', 'after'] as const) : 'no';
  return { there, back, fails, code: fails === 'no' ? 'internal' : chance.pick(codes) };
}
