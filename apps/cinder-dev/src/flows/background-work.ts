import { type Log } from '@novella/core';

/** What goes on after the answer. Each piece has an owner, and closing waits for all of them. */
export class BackgroundWork {
  private readonly running = new Set<Promise<void>>();

  constructor(private readonly log: Log) {}

  start(name: string, work: () => Promise<void>): void {
    const piece = work().catch((error: unknown) => this.log.error('background work failed', { name, error }));
    this.running.add(piece);
    void piece.then(() => this.running.delete(piece));
  }

  async settled(): Promise<void> {
    while (this.running.size > 0) await Promise.all(this.running);
  }
}
