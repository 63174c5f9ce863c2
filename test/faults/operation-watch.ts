import type { Operation, Store } from '@novella/persistence';
import { setTimeout as sleep } from 'node:timers/promises';

const EVERY_MS = 100;
const PATIENCE_MS = 60_000;
const MOST = 5_000;

interface Waiter {
  readonly wanted: (operation: Operation) => boolean;
  readonly found: (operation: Operation) => void;
}

/** One look at all operations serves all who wait for one of them. */
export class OperationWatch {
  private readonly waiters = new Set<Waiter>();
  private readonly watching: Promise<void>;
  private stopped = false;

  constructor(private readonly store: Pick<Store, 'operations'>) {
    this.watching = this.watch();
  }

  async stop(): Promise<void> {
    this.stopped = true;
    await this.watching;
  }

  /** The newest operation that is as wanted. */
  until(wanted: Waiter['wanted'], what: string): Promise<Operation> {
    return new Promise((resolve, reject) => {
      const late = setTimeout(() => {
        this.waiters.delete(waiter);
        reject(new Error(`${what} did not come about within ${PATIENCE_MS} ms`));
      }, PATIENCE_MS);
      const waiter: Waiter = {
        wanted,
        found: (operation) => {
          clearTimeout(late);
          this.waiters.delete(waiter);
          resolve(operation);
        },
      };
      this.waiters.add(waiter);
    });
  }

  private async watch(): Promise<void> {
    while (!this.stopped) {
      if (this.waiters.size > 0) {
        const all = await this.store.operations({ limit: MOST }).catch(() => []);
        for (const { wanted, found } of [...this.waiters]) {
          const operation = all.find(wanted);
          if (operation !== undefined) found(operation);
        }
      }
      await sleep(EVERY_MS);
    }
  }
}

export const hasEnded = ({ state }: Operation): boolean => state === 'succeeded' || state === 'failed';
