import { type Clock, type Log, type Millis, NovellaError, seconds } from '@novella/core';

/** The part of `process` that ordered shutdown needs. */
export interface ProcessSignals {
  on(signal: 'SIGTERM' | 'SIGINT', listener: () => void): unknown;
  exit(code: number): void;
}

export type ShutdownStep = () => Promise<void> | void;

/**
 * Ends the process in order: steps run one after the other, the last registered first, within `grace` in all. Exit code
 * 0 when each ended well, 1 when one failed or the grace ran out; a second signal exits at once with 1.
 */
export class Shutdown {
  readonly #steps: { name: string; run: ShutdownStep }[] = [];
  readonly #options: { log: Log; clock: Clock; grace: Millis };
  readonly #begun = new AbortController();
  #running: Promise<number> | null = null;

  constructor(options: { log: Log; clock: Clock; grace?: Millis }) {
    this.#options = { ...options, grace: options.grace ?? seconds(30) };
  }

  /** Aborted when it begins: what waits for something to come gives up. */
  get signal(): AbortSignal {
    return this.#begun.signal;
  }

  /** Registered while the part is started, so that what was started last stops first. */
  onShutdown(name: string, run: ShutdownStep): void {
    this.#steps.push({ name, run });
  }

  /** Runs the steps once, however often it is called, and answers the exit code. */
  run(reason: string): Promise<number> {
    if (this.#running === null) {
      this.#begun.abort(new NovellaError('internal', `shutting down: ${reason}`, {}, { grade: 'final' }));
      this.#running = this.#bounded(reason);
    }
    return this.#running;
  }

  listen(signals: ProcessSignals = process): void {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) {
      signals.on(signal, () => {
        if (this.#running !== null) {
          signals.exit(1);
          return;
        }
        void this.run(signal).then((code) => signals.exit(code));
      });
    }
  }

  async #bounded(reason: string): Promise<number> {
    const { log, clock, grace } = this.#options;
    log.info('shutting down', { reason, graceMs: grace });
    const done = new AbortController();
    const expired = clock.sleep(grace, done.signal).then(
      () => 'expired' as const,
      () => 'ended' as const,
    );
    const ended = await Promise.race([this.#runSteps(), expired]);
    done.abort();
    if (ended === 'expired') log.error('shutdown took longer than its grace', { graceMs: grace });
    return ended === 0 ? 0 : 1;
  }

  async #runSteps(): Promise<number> {
    let failures = 0;
    for (const step of this.#steps.toReversed()) {
      try {
        await step.run();
      } catch (error) {
        failures += 1;
        this.#options.log.error('a shutdown step failed', { step: step.name, error });
      }
    }
    return failures;
  }
}
