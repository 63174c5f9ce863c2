import { type Millis, millis, type Random } from '@novella/core';
import { seededRandom } from '@novella/testing';

/** Seeded decisions. Each concern of a simulation has a stream of its own, so that one more draw of one moves no other. */
export class Chance implements Random {
  private readonly random: Random;

  constructor(private readonly seed: number) {
    this.random = seededRandom(seed);
  }

  of(concern: string): Chance {
    let mixed = Math.imul(this.seed ^ 0x9e3779b9, 0x85ebca6b);
    for (const letter of concern) mixed = Math.imul(mixed ^ letter.charCodeAt(0), 0x01000193);
    return new Chance(mixed >>> 0);
  }

  fraction(): number {
    return this.random.fraction();
  }

  uuid(): string {
    return this.random.uuid();
  }

  /** True so often, of 1. */
  is(probability: number): boolean {
    return this.random.fraction() < probability;
  }

  /** A whole number from `least` to `most`, both included. */
  whole(least: number, most: number): number {
    return least + Math.floor(this.random.fraction() * (most - least + 1));
  }

  time(least: Millis, most: Millis): Millis {
    return millis(this.whole(least, most));
  }

  /** Short times often, long ones seldom: each order of magnitude alike. */
  timeOfAnyOrder(least: Millis, most: Millis): Millis {
    return millis(Math.round(least * (most / least) ** this.random.fraction()));
  }

  pick<T>(from: readonly T[]): T {
    const picked = from[this.whole(0, from.length - 1)];
    if (picked === undefined) throw new RangeError('nothing to pick from');
    return picked;
  }

  /** One of the names, as often as its weight says. */
  weighted<Name extends string>(weights: Readonly<Record<Name, number>>): Name {
    const entries = Object.entries(weights) as [Name, number][];
    let left = this.random.fraction() * entries.reduce((sum, [, weight]) => sum + weight, 0);
    for (const [name, weight] of entries) {
      left -= weight;
      if (left < 0) return name;
    }
    return entries[entries.length - 1]![0];
  }
}
