import type { Cloud } from './cloud.js';
import type { Accepted, Ledger } from './ledger.js';
import { pause } from './waiting.js';

const READERS = 4;
const IDLE_MS = 100;
const FIRST_LOOK_MS = 500;
const LONGEST_LOOK_MS = 4_000;

interface Followed {
  readonly event: Accepted;
  pauseMs: number;
  lookAt: number;
}

/** Reads os-instance-actions for each accepted event until it has ended, as a user who waits for it would. */
export class Follower {
  private pending: Followed[] = [];
  private seen = 0;
  private running = true;
  private done: Promise<unknown> = Promise.resolve();

  constructor(
    private readonly cloud: Cloud,
    private readonly ledger: Ledger,
    private readonly signal: AbortSignal,
  ) {}

  start(): void {
    this.done = Promise.all(Array.from({ length: READERS }, () => this.read()));
    // Whoever awaits `stop` hears of it.
    this.done.catch(() => undefined);
  }

  /** Accepted events without an end. */
  get open(): number {
    return this.ledger.accepted.length - this.ledger.endings.size;
  }

  async stop(): Promise<void> {
    this.running = false;
    await this.done;
  }

  private async read(): Promise<void> {
    while (this.running) {
      const next = this.next();
      if (next === null) await pause(IDLE_MS, this.signal);
      else await this.look(next);
    }
  }

  private next(): Followed | null {
    const now = performance.now();
    for (const event of this.ledger.accepted.slice(this.seen)) {
      this.pending.push({ event, pauseMs: FIRST_LOOK_MS, lookAt: now + FIRST_LOOK_MS });
    }
    this.seen = this.ledger.accepted.length;
    const index = this.pending.findIndex(({ lookAt }) => lookAt <= now);
    return this.pending.splice(index, index < 0 ? 0 : 1)[0] ?? null;
  }

  private async look(followed: Followed): Promise<void> {
    const { event } = followed;
    const ending = await this.cloud.ending(event.server, event.requestId);
    if (typeof ending === 'object') {
      this.ledger.end(event, ending);
      return;
    }
    followed.pauseMs = Math.min(2 * followed.pauseMs, LONGEST_LOOK_MS);
    followed.lookAt = performance.now() + followed.pauseMs;
    this.pending.push(followed);
  }
}
