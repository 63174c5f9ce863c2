import type { NovellaError } from '@novella/core';
import type { RpcReply } from './envelope.js';

interface Waiter {
  resolve(reply: RpcReply): void;
  reject(reason: NovellaError): void;
  /** The first part of an old peer's two-part answer. */
  first: RpcReply | null;
}

/** Who waits for which reply. A waiter is registered before its request is published, and always forgotten after. */
export class ReplyWaiters {
  private readonly waiting = new Map<string, Waiter>();

  register(msgId: string): Promise<RpcReply> {
    const answer = new Promise<RpcReply>((resolve, reject) => {
      this.waiting.set(msgId, { resolve, reject, first: null });
    });
    // The caller may already have given up when a dropped link rejects it.
    answer.catch(() => undefined);
    return answer;
  }

  forget(msgId: string): void {
    this.waiting.delete(msgId);
  }

  /**
   * False when nobody waits: a late reply. A sign of life (not ending, with nothing in it) changes nothing; a part that
   * is not the end is kept until the end comes.
   */
  settle(reply: RpcReply): boolean {
    const waiter = this.waiting.get(reply.msgId);
    if (waiter === undefined) return false;
    if (reply.ending) {
      waiter.resolve(waiter.first ?? reply);
      this.waiting.delete(reply.msgId);
    } else if (reply.failure !== null || reply.result !== null) {
      waiter.first = reply;
    }
    return true;
  }

  rejectAll(reason: NovellaError): void {
    for (const waiter of this.waiting.values()) waiter.reject(reason);
    this.waiting.clear();
  }
}
