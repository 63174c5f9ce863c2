import { expect } from '@jest/globals';
import type { World } from './world.js';

/** What was accepted before the engines begin, and what the host or Cinder does wrong in it. */
export type Begin = (world: World) => Promise<void>;

export interface Story {
  readonly before?: Begin;
  readonly story: Begin;
  /** What must be so at the end, besides that nothing is open. */
  readonly ends: object;
  /** Each call is to be broken in each way: some transitions follow from that alone. */
  readonly breaksAll?: boolean;
}

/** A request of a user that is not refused. */
export const accepts =
  (request: (world: World) => Promise<string>): Begin =>
  async (world) => {
    expect(await request(world)).toBe('accepted');
  };
