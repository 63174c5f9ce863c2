import { type Clock, type Millis, millis } from '@novella/core';
import type { SimulatedProcess } from './process.js';

/** Time as one process sees it: its own reading of the clocks may jump, its sleeps last as long as they last. */
export class ProcessClock implements Clock {
  private ahead = 0;
  private dayAhead = 0;

  constructor(
    private readonly clock: Clock,
    private readonly process: SimulatedProcess,
  ) {}

  /** The monotonic clock never goes back; the time of day may. */
  jump(by: Millis, dayBy: Millis): void {
    this.ahead += Math.max(0, by);
    this.dayAhead += dayBy;
  }

  monotonic(): Millis {
    return millis(this.clock.monotonic() + this.ahead);
  }

  wallTime(): Date {
    return new Date(this.clock.wallTime().getTime() + this.dayAhead);
  }

  sleep(delay: Millis, signal?: AbortSignal): Promise<void> {
    return this.process.call(() => this.clock.sleep(delay, signal), 'idle');
  }
}
