import { type Clock, type Log, millis, type Random } from '@novella/core';
import { encodeReply, FRAME_PROPERTIES, type ReplyAddress } from './envelope.js';
import type { OsloFailure } from './failure.js';
import type { Link } from './link.js';
import { routeToReply } from './topology.js';

export interface ReplySenderOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** '' is the default exchange. */
  readonly exchange: string;
}

/** Answers callers. A reply that nobody takes, or that the link cannot carry, is given up: its caller has a deadline. */
export class ReplySender {
  constructor(
    private readonly link: Link,
    private readonly options: ReplySenderOptions,
  ) {}

  answer(to: ReplyAddress, result: unknown, failure: OsloFailure | null): Promise<void> {
    return this.send(to, { result, failure, ending: true });
  }

  /**
   * While `work` runs, tells a caller that asked for it that its call is alive, twice as often as it asked: with nothing
   * in it and not ending. Mirrors oslo.messaging:oslo_messaging/rpc/server.py::RPCServer._watchdog; as there, a caller that
   * named no time gets none (an older client would break on it), nor one that asked for less than two seconds.
   */
  async alive<T>(to: ReplyAddress, work: Promise<T>): Promise<T> {
    const everyS = Math.trunc(to.monitorTimeoutS ?? 0) / 2;
    if (everyS < 1) return work;
    const done = new AbortController();
    void this.beat(to, everyS * 1_000, done.signal);
    try {
      return await work;
    } finally {
      done.abort();
    }
  }

  private async beat(to: ReplyAddress, everyMs: number, done: AbortSignal): Promise<void> {
    for (;;) {
      await this.options.clock.sleep(millis(everyMs), done).catch(() => undefined);
      if (done.aborted) return;
      await this.send(to, { result: null, failure: null, ending: false });
    }
  }

  private async send(
    to: ReplyAddress,
    content: { readonly result: unknown; readonly failure: OsloFailure | null; readonly ending: boolean },
  ): Promise<void> {
    const { log, random, exchange } = this.options;
    const uniqueId = random.uuid().replaceAll('-', '');
    const body = encodeReply({ msgId: to.msgId, uniqueId, ...content });
    const frame = { ...routeToReply(to.queue, exchange), ...FRAME_PROPERTIES, body };
    try {
      const outcome = await this.link.publish(frame, { persistent: false, mandatory: true });
      if (outcome === 'returned') log.warn('the reply queue of a caller is gone', { queue: to.queue });
    } catch (error) {
      log.warn('a reply could not be sent', { queue: to.queue, error });
    }
  }
}
