import { type Clock, millis, type Random } from '@novella/core';

const FIRST_MS = 500;
/** All consume within three seconds of the broker's return, however long it was away. A try that nobody answers is cheap. */
const LONGEST_MS = 2_000;

/** Waits between tries: doubled each time up to two seconds, and half of it by chance, so that many do not come at once. */
export class ReconnectDelay {
  private tries = 0;

  constructor(
    private readonly clock: Clock,
    private readonly random: Random,
  ) {}

  reset(): void {
    this.tries = 0;
  }

  /** Rejects with the signal's reason. */
  async wait(signal: AbortSignal): Promise<void> {
    const full = Math.min(FIRST_MS * 2 ** this.tries, LONGEST_MS);
    this.tries += 1;
    await this.clock.sleep(millis(Math.round(full * (0.5 + this.random.fraction() / 2))), signal);
  }
}
