import type { Random } from '@novella/core';

/** Choices of one run; the same seed makes the same ones. */
export class Chance {
  constructor(readonly random: Random) {}

  yes(probability: number): boolean {
    return this.random.fraction() < probability;
  }

  /** 0 <= it < limit, whole. */
  below(limit: number): number {
    return Math.floor(this.random.fraction() * limit);
  }

  one<T>(all: readonly T[]): T {
    return all[this.below(all.length)] as T;
  }

  /** Each with its weight. */
  weighed<T>(all: readonly (readonly [weight: number, choice: T])[]): T {
    let left = this.random.fraction() * all.reduce((sum, [weight]) => sum + weight, 0);
    for (const [weight, choice] of all) {
      left -= weight;
      if (left < 0) return choice;
    }
    return all[0]?.[1] as T;
  }

  bytes(length: number): Buffer {
    return Buffer.from(Array.from({ length }, () => this.below(256)));
  }
}
