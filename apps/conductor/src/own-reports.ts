import { REPORT_INTERVAL_MS } from '@novella/contracts';
import type { Clock, HostName, Log } from '@novella/core';
import { millis } from '@novella/core';
import type { HostStore } from '@novella/persistence';
import { VERSION } from '@novella/service-kit';

export interface OwnReportsIo {
  /** The conductor's own, under which os-services shows it. */
  readonly name: string;
  readonly store: Pick<HostStore, 'reportService' | 'serviceStopped'>;
  readonly clock: Clock;
  readonly log: Log;
}

/**
 * Writes every REPORT_INTERVAL_MS that this conductor works, as the service nova-conductor. Mirrors
 * nova:servicegroup/drivers/db.py.
 */
export class OwnReports {
  readonly #io: OwnReportsIo;
  readonly #stop = new AbortController();
  #running: Promise<void> = Promise.resolve();
  #silent = false;

  constructor(io: OwnReportsIo) {
    this.#io = io;
  }

  start(): void {
    this.#running = this.#loop();
  }

  /** Ends the loop and says good-bye; that a good-bye got lost costs only time. */
  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#running;
    const { store, name, log } = this.#io;
    await store
      .serviceStopped(name as HostName, 'nova-conductor')
      .catch((error: unknown) => log.warn('the conductor could not say that it stops', { error }));
  }

  async #loop(): Promise<void> {
    const { clock } = this.#io;
    while (!this.#stop.signal.aborted) {
      await this.#report();
      await clock.sleep(millis(REPORT_INTERVAL_MS), this.#stop.signal).catch(() => undefined);
    }
  }

  async #report(): Promise<void> {
    const { store, name, log } = this.#io;
    try {
      await store.reportService({
        host: name as HostName,
        binary: 'nova-conductor',
        version: VERSION,
        capabilities: [],
        connectorProperties: {},
        publicKey: null,
        hypervisor: { type: '', version: '', hostname: '' },
        capacity: { vcpus: 0, memoryMib: 0, diskGib: 0 },
      });
      this.#silent = false;
    } catch (error) {
      if (!this.#silent) log.warn('the conductor could not report itself', { error });
      this.#silent = true;
    }
  }
}
