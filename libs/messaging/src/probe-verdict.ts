import type { ConsumerRoom } from './held-consumer.js';
import type { QueueLook } from './link.js';

/** What one round of probing has seen. */
export interface ProbeRound {
  /** At some moment of the round there was no connection, it was another one, or the broker took no messages. */
  readonly away: boolean;
  /** `paused` when there was a pause at any moment of the round. */
  readonly room: ConsumerRoom;
  /**
   * confirmed    the broker has put the probes into a queue
   * returned     no queue takes what is sent there
   * unconfirmed  the broker did not answer in time
   * refused      this user may not send there
   * not-sent     the broker took nothing just then, or there was no room for it here
   */
  readonly sent: 'confirmed' | 'returned' | 'unconfirmed' | 'refused' | 'not-sent';
  readonly probes: number;
  /** Any message at all, after the first probe was sent. */
  readonly arrived: boolean;
  /** Null when the broker did not answer on the consumer's channel. */
  readonly look: QueueLook | null;
}

/**
 * not-consuming  the queue is not consumed yet, though the broker is there
 * no-answer      the broker does not answer on the consumer's channel: its connection or channel is dead
 * no-route       what is sent there reaches no queue
 * not-delivered  the broker has the message, there is room for it, and it does not come
 */
export type DeafReason = 'not-consuming' | 'no-answer' | 'no-route' | 'not-delivered';

export type ProbeVerdict =
  /** Messages arrive, and our answers reach the broker. */
  | { readonly kind: 'hears' }
  /** Others say so: a broker that is away is no fault of the consumer. */
  | { readonly kind: 'away' }
  /** It is not its turn to take a message, and its channel is alive. */
  | { readonly kind: 'busy' }
  /** Nothing speaks against it, nothing proves it. */
  | { readonly kind: 'unproven' }
  /** Other consumers of the queue may have taken what was sent: ask again, with so many probes. */
  | { readonly kind: 'shared'; readonly probes: number }
  /** The broker takes messages and answers none, though it says that it is there. */
  | { readonly kind: 'unanswered' }
  | { readonly kind: 'deaf'; readonly why: DeafReason };

/** Frames go to the consumers in turn: with twice as many as there are consumers, each gets one. */
const PROBES_PER_CONSUMER = 2;
const MOST_PROBES = 200;

export function judge({ away, room, sent, probes, arrived, look }: ProbeRound): ProbeVerdict {
  if (away) return { kind: 'away' };
  if (room === 'stopped') return { kind: 'busy' };
  if (room === 'idle') return { kind: 'deaf', why: 'not-consuming' };
  if (sent === 'unconfirmed') return { kind: 'unanswered' };
  if (look === null) return { kind: 'deaf', why: 'no-answer' };
  if (arrived) return { kind: 'hears' };
  if (room !== 'free') return { kind: 'busy' };
  switch (sent) {
    case 'returned':
      return { kind: 'deaf', why: 'no-route' };
    case 'refused':
      return withoutProbe(look);
    case 'not-sent':
      return { kind: 'unproven' };
    case 'confirmed': {
      const enough = probesFor(look);
      return probes >= enough ? { kind: 'deaf', why: 'not-delivered' } : { kind: 'shared', probes: enough };
    }
  }
}

/** A queue in which something waits, though there was room for it all the time. */
const withoutProbe = ({ ready }: QueueLook): ProbeVerdict =>
  ready > 0 ? { kind: 'deaf', why: 'not-delivered' } : { kind: 'unproven' };

/** One is enough for one consumer: when that is another's, ours is gone. */
const probesFor = ({ consumers }: QueueLook): number =>
  consumers === 1 ? 1 : Math.min(PROBES_PER_CONSUMER * Math.max(consumers, 1), MOST_PROBES);
