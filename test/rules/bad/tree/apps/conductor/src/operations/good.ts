import type { Clock, Random } from '@novella/core';

/** A flow that waits a random part of `delay` by its ports, and reads a time that it was given. */
export async function good(clock: Clock, random: Random, delay: number, start: string): Promise<number> {
  await clock.sleep(delay * random.fraction());
  return new Date(start).getTime();
}
