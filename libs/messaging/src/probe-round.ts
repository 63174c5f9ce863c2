import { type Clock, type Millis, NovellaError, type Random, seconds } from '@novella/core';
import type { HeldConsumer } from './held-consumer.js';
import type { Link, QueueLook } from './link.js';
import { probeFrame } from './probe-message.js';
import type { ProbeRound } from './probe-verdict.js';
import type { Route } from './topology.js';

export interface RoundLimits {
  /** The broker confirms a probe within this, or it does not answer. */
  readonly confirmWithin: Millis;
  /** What the broker has confirmed is here within this, and so are its answers on the consumer's channel. */
  readonly arriveWithin: Millis;
  /** The broker drops a probe that waited for so long. */
  readonly expireAfter: Millis;
}

/** What is probed: an RPC server. */
export interface Probed {
  readonly consumer: Pick<HeldConsumer, 'room' | 'pauseCount' | 'onDelivery' | 'look' | 'restore'>;
  readonly route: Route;
}

export interface RoundIo {
  readonly link: Link;
  readonly server: Probed;
  readonly clock: Clock;
  readonly random: Random;
  readonly limits: RoundLimits;
  /** Aborted when no answer is wanted any more. */
  readonly stop: AbortSignal;
}

/** A timer that is so late means that the process stood still, and what has come meanwhile is not yet read. */
const STOOD_STILL = seconds(1);

/**
 * One look at whether messages reach a server: sends it `probes`, waits for any message to come, asks the broker on the
 * consumer's channel. `mayPublish` false: this user may not send there, which has been seen; each try costs a channel.
 */
export async function probeRound(
  io: RoundIo,
  { probes, mayPublish }: { readonly probes: number; readonly mayPublish: boolean },
): Promise<ProbeRound> {
  const { link, server, limits } = io;
  const { consumer } = server;
  const before = consumer.room;
  if (before === 'idle' || before === 'stopped') {
    return { probes, sent: 'not-sent', arrived: false, look: null, room: before, away: isAway(link) };
  }
  const lost = new AbortController();
  const over = AbortSignal.any([lost.signal, io.stop]);
  const forgetLink = link.onState(() => lost.abort());
  const delivery = nextDelivery(consumer);
  const pauses = consumer.pauseCount;
  try {
    let sent: ProbeRound['sent'] = 'not-sent';
    if (before === 'free') sent = mayPublish ? await send(io, probes, over) : 'refused';
    if (sent === 'confirmed' || sent === 'refused') await within(io.clock, limits.arriveWithin, delivery.came, over);
    const look = sent === 'unconfirmed' ? null : await ask(io, over);
    const wasPaused = consumer.pauseCount !== pauses;
    const room = before === 'free' && wasPaused ? 'paused' : before;
    return { probes, sent, arrived: delivery.seen(), look, room, away: over.aborted || isAway(link) };
  } finally {
    forgetLink();
    delivery.forget();
  }
}

const isAway = ({ state, blocked }: Link): boolean => state !== 'connected' || blocked !== null;

/** Behind what the broker has sent on the channel until then: that is read when the answer is. */
function ask({ server, clock, limits }: RoundIo, over: AbortSignal): Promise<QueueLook | null> {
  const asked = server.consumer.look().catch(() => null);
  return within(clock, limits.arriveWithin, asked, over);
}

interface NextDelivery {
  readonly came: Promise<true>;
  readonly seen: () => boolean;
  readonly forget: () => void;
}

function nextDelivery(consumer: Probed['consumer']): NextDelivery {
  let seen = false;
  let forget: () => void = () => undefined;
  const came = new Promise<true>((resolve) => {
    forget = consumer.onDelivery(() => {
      seen = true;
      resolve(true);
    });
  });
  return { came, seen: () => seen, forget: () => forget() };
}

async function send(io: RoundIo, probes: number, over: AbortSignal): Promise<ProbeRound['sent']> {
  const { link, server, random, limits } = io;
  const options = { persistent: false, mandatory: true, expirationMs: limits.expireAfter };
  const published = Array.from({ length: probes }, () => link.publish(probeFrame(server.route, random), options));
  try {
    const outcomes = await within(io.clock, limits.confirmWithin, Promise.all(published), over);
    if (outcomes === null) return 'unconfirmed';
    return outcomes.includes('returned') ? 'returned' : 'confirmed';
  } catch (error) {
    if (!(error instanceof NovellaError)) throw error;
    if (error.code === 'rpc-no-route') return 'returned';
    return error.code === 'broker-refused' ? 'refused' : 'not-sent';
  }
}

/** Null when it takes longer. Time in which this process stood still does not count: the answer may be here unread. */
async function within<T>(clock: Clock, limit: Millis, promise: Promise<T>, over: AbortSignal): Promise<T | null> {
  const done = new AbortController();
  const stop = AbortSignal.any([done.signal, over]);
  const late = async (): Promise<null> => {
    for (let began = clock.monotonic(); ; began = clock.monotonic()) {
      await clock.sleep(limit, stop);
      if (clock.monotonic() - began < limit + STOOD_STILL) return null;
    }
  };
  try {
    return await Promise.race([promise, late().catch(() => null)]);
  } finally {
    done.abort();
    // Nobody waits for it any more.
    promise.catch(() => undefined);
  }
}
