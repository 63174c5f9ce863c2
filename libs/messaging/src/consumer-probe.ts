import { type Clock, type Log, type Millis, millis, type Random, seconds } from '@novella/core';
import type { Link } from './link.js';
import { type Probed, probeRound, type RoundIo } from './probe-round.js';
import { type DeafReason, judge, type ProbeRound, type ProbeVerdict } from './probe-verdict.js';

export interface ProbeLimits {
  /** Between two rounds, less up to a tenth by chance. */
  readonly every: Millis;
  /** The broker confirms a probe within this, or it does not answer. */
  readonly confirmWithin: Millis;
  /** What the broker has confirmed is here within this, and so are its answers on the consumer's channel. */
  readonly arriveWithin: Millis;
  /** Between two drops of the link that do not help. */
  readonly longestBackoff: Millis;
}

/**
 * A consumer that stops hearing just after a round is known to be deaf, and its link dropped, `every + 2 * arriveWithin`
 * later (20 s); a broker that confirms nothing, `every + confirmWithin` later (20 s).
 */
export const PROBE_LIMITS: ProbeLimits = {
  every: seconds(10),
  confirmWithin: seconds(10),
  arriveWithin: seconds(5),
  longestBackoff: seconds(300),
};

export interface ProbeCounts {
  rounds: number;
  /** Rounds that found the consumer deaf. */
  deaf: number;
  /** Rounds in which a broker that was there confirmed nothing. */
  unanswered: number;
  /** How often the link was dropped over it. */
  drops: number;
}

export interface ProbeOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly limits?: ProbeLimits;
}

type TroubleCode = 'consumer-deaf' | 'broker-unreachable' | 'broker-refused';

interface Trouble {
  readonly code: TroubleCode;
  readonly text: string;
  readonly since: Date;
  readonly drops: number;
}

/** So many drops follow each other at once; after them the pauses double. */
const DROPS_AT_ONCE = 3;
/** A link that has come back after a drop is asked so soon whether it works. */
const AFTER_DROP = seconds(1);

/**
 * Proves that an RPC server still hears: in each round a probe goes through the broker to the server's own queue, and any
 * message that comes then is the proof; a question on the consumer's channel proves that its acks arrive. Heartbeats prove
 * neither: they are answered for a connection whose channel or consumer is gone.
 *
 * A deaf server's link is dropped without a word and connects, declares and consumes anew; what was not acked comes again.
 * A server whose window is full, or which waits for a retry, is asked the question alone. While the broker is away, or
 * takes no messages, nothing is concluded.
 */
export class ConsumerProbe {
  readonly counts: ProbeCounts = { rounds: 0, deaf: 0, unanswered: 0, drops: 0 };
  private readonly stopping = new AbortController();
  private readonly limits: ProbeLimits;
  private readonly round: RoundIo;
  private running: Promise<void> = Promise.resolve();
  private wrong: Trouble | null = null;
  private nextDrop = 0;
  /** The connection that follows the drop which has just been; null when there was none. */
  private awaited: Promise<void> | null = null;
  /** False once the broker has refused a probe; asked again on the next connection. */
  private mayPublish = true;
  private forgetLink: () => void = () => undefined;

  constructor(
    private readonly link: Link,
    private readonly server: Probed,
    private readonly options: ProbeOptions,
  ) {
    const { clock, random, limits = PROBE_LIMITS } = options;
    const { every, confirmWithin, arriveWithin } = limits;
    const expireAfter = millis(every + arriveWithin);
    this.limits = limits;
    const { signal: stop } = this.stopping;
    this.round = { link, server, clock, random, limits: { confirmWithin, arriveWithin, expireAfter }, stop };
  }

  /** What is wrong, for people; null when nothing is known to be. */
  get trouble(): string | null {
    if (this.wrong === null) return null;
    const { code, text, since, drops } = this.wrong;
    const tried = drops === 0 ? '' : `, connected anew ${drops} times`;
    return `${code}: ${text} (since ${since.toISOString()}${tried})`;
  }

  /** Messages for this server are known not to reach it. */
  get isDeaf(): boolean {
    return this.wrong?.code === 'consumer-deaf';
  }

  start(): void {
    this.forgetLink = this.link.onState(() => (this.mayPublish = true));
    this.running = this.run();
  }

  async stop(): Promise<void> {
    this.stopping.abort();
    this.forgetLink();
    await this.running;
  }

  private async run(): Promise<void> {
    while (await this.pause()) {
      this.awaited = null;
      try {
        this.record(await this.verdict());
      } catch (error) {
        this.options.log.error('a round of probing failed', { ...this.facts, error });
      }
    }
  }

  /** Until the next round; false when there is none. */
  private async pause(): Promise<boolean> {
    const { clock, random } = this.options;
    const { every } = this.limits;
    const { signal } = this.stopping;
    const pause = this.awaited === null ? every * (1 - random.fraction() / 10) : Math.min(AFTER_DROP, every);
    try {
      await this.awaited;
      await this.link.whenConnected(signal);
      await clock.sleep(millis(pause), signal);
      return true;
    } catch {
      // It stops, or the link is closed.
      return false;
    }
  }

  private async verdict(): Promise<ProbeVerdict> {
    const first = judge(await this.look(1));
    if (first.kind === 'shared') return judge(await this.look(first.probes));
    // Without a probe what waits may have come just then.
    if (first.kind === 'deaf' && !this.mayPublish) return judge(await this.look(1));
    return first;
  }

  private async look(probes: number): Promise<ProbeRound> {
    this.counts.rounds += 1;
    const seen = await probeRound(this.round, { probes, mayPublish: this.mayPublish });
    if (seen.sent === 'refused') this.mayPublish = false;
    return seen;
  }

  private record(verdict: ProbeVerdict): void {
    switch (verdict.kind) {
      case 'hears':
        if (this.wrong !== null)
          this.options.log.info('messages arrive again', { ...this.facts, was: this.wrong.code });
        this.wrong = null;
        return;
      case 'deaf':
        this.counts.deaf += 1;
        this.heal(this.tell('consumer-deaf', DEAF_TEXT[verdict.why]));
        return;
      case 'unanswered':
        this.counts.unanswered += 1;
        this.heal(this.tell('broker-unreachable', 'the broker confirms nothing that is sent to it'));
        return;
      case 'unproven':
        if (!this.mayPublish) this.tell('broker-refused', REFUSED_TEXT);
        return;
      case 'away':
      case 'busy':
      case 'shared':
    }
  }

  /** In the log once for each kind of trouble, and again at each drop. */
  private tell(code: TroubleCode, text: string): Trouble {
    const { clock, log } = this.options;
    if (this.wrong?.code !== code) log.error('messages may not reach us', { ...this.facts, code, reason: text });
    this.wrong = { drops: 0, since: clock.wallTime(), ...this.wrong, code, text };
    return this.wrong;
  }

  private heal(trouble: Trouble): void {
    const { clock, log } = this.options;
    const now = clock.monotonic();
    if (trouble.drops >= DROPS_AT_ONCE && now < this.nextDrop) return;
    const { code, text } = trouble;
    const drops = trouble.drops + 1;
    this.wrong = { ...trouble, drops };
    this.counts.drops += 1;
    this.nextDrop =
      now + Math.min(this.limits.every * 2 ** Math.max(0, drops - DROPS_AT_ONCE), this.limits.longestBackoff);
    this.awaited = this.nextConnection();
    log.warn('the link is dropped so that messages arrive again', { ...this.facts, code, reason: text, drops });
    void this.server.consumer.restore().catch(() => undefined);
    this.link.drop(`${code}: ${text}`);
  }

  /** Also when there will be none. */
  private nextConnection(): Promise<void> {
    return new Promise((resolve) => {
      const { signal } = this.stopping;
      const forget = this.link.onState((state) => {
        if (state !== 'disconnected') end();
      });
      const end = (): void => {
        forget();
        signal.removeEventListener('abort', end);
        resolve();
      };
      signal.addEventListener('abort', end);
    });
  }

  private get facts(): { readonly routingKey: string } {
    return { routingKey: this.server.route.routingKey };
  }
}

const DEAF_TEXT: Readonly<Record<DeafReason, string>> = {
  'not-consuming': 'the queue is not consumed, though the broker is there',
  'no-answer': "the broker does not answer on the consumer's channel",
  'no-route': 'what is sent to the queue reaches no queue',
  'not-delivered': 'the broker has messages for the consumer and does not deliver them',
};

const REFUSED_TEXT = 'this broker user may not send to its own queue, so it is not proven that messages arrive';
