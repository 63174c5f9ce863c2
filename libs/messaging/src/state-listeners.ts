import type { LinkState } from './link.js';
import { unreachable } from './unreachable.js';

/** Who wants to hear of a link's state, and who waits for its next connection. */
export class StateListeners {
  private readonly listeners = new Set<(state: LinkState) => void>();

  constructor(private readonly current: () => LinkState) {}

  onState(listener: (state: LinkState) => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  tell(): void {
    for (const listener of [...this.listeners]) listener(this.current());
  }

  async whenConnected(signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted();
    if (this.current() === 'connected') return;
    if (this.current() === 'closed') throw unreachable('the link is closed');
    await new Promise<void>((resolve, reject) => {
      const stop = (settle: () => void) => () => {
        forget();
        signal?.removeEventListener('abort', aborted);
        settle();
      };
      const aborted = stop(() => reject(signal?.reason as Error));
      const forget = this.onState((state) => {
        if (state === 'connected') stop(resolve)();
        if (state === 'closed') stop(() => reject(unreachable('the link is closed')))();
      });
      signal?.addEventListener('abort', aborted);
    });
  }
}
