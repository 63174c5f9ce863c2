import { cast, defineRpc } from '@novella/contracts';
import { type HostName, type Log, type LogFacts, millis } from '@novella/core';
import {
  ConsumerProbe,
  type Link,
  type LinkConsumer,
  NOVA_EXCHANGE,
  openAmqpLink,
  type ProbeLimits,
  rpcClient,
  RpcServer,
} from '@novella/messaging';
import { systemClock, systemRandom } from '@novella/service-kit';
import { z } from 'zod';

const methods = { act: cast(z.object({ n: z.number() }), { persistent: true, mandatory: true }) };
const contractOf = (topic: string) => defineRpc({ topic, version: '1.0', methods });

/** Several times as fast as in production, and patient with a machine that has much to do. */
const LIMITS: ProbeLimits = {
  every: millis(1_000),
  confirmWithin: millis(3_000),
  arriveWithin: millis(1_500),
  longestBackoff: millis(10_000),
};

export interface ServerOptions {
  readonly url: string;
  /** One of several servers of topic `shared` when there is none. */
  readonly host: string | null;
  /** So long that heartbeats find nothing while a test runs, unless given. */
  readonly heartbeatS?: number;
  readonly prefetch?: number;
  /** Holds the name of the host, as a compute does. */
  readonly holdsName?: boolean;
  readonly act?: (n: number) => Promise<void>;
}

/** An RPC server at a real broker, with what it did, what it said, and a probe that may be started. */
export class ProbedServer {
  /** What was done, in order. */
  readonly numbers: number[] = [];
  /** Those of them that the broker had handed over before. */
  readonly redelivered: number[] = [];
  /** Of the link, since it was first connected. */
  readonly statesSeen: string[] = [];
  readonly codes: unknown[] = [];
  readonly namesLost: string[] = [];
  readonly consumers: LinkConsumer[] = [];
  readonly link: Link;
  readonly probe: ConsumerProbe;
  private readonly server: RpcServer<ReturnType<typeof contractOf>>;

  private constructor(private readonly options: ServerOptions) {
    const { url, host, heartbeatS = 60, prefetch = 4, act } = options;
    const write = (_message: string, facts?: LogFacts): void => void this.codes.push(facts?.['code']);
    const log: Log = { debug: write, info: write, warn: write, error: write };
    const io = { clock: systemClock, random: systemRandom, log };
    this.link = openAmqpLink({ urls: [url], connectionName: `deaf-${host ?? 'shared'}`, heartbeatS, ...io });
    this.link.onNameLost((name) => this.namesLost.push(name));
    const consume = this.link.consume.bind(this.link);
    this.link.consume = async (...asked) => {
      const consumer = await consume(...asked);
      this.consumers.push(consumer);
      return consumer;
    };
    const handlers = {
      act: async ({ n }: { n: number }, { redelivered }: { redelivered: boolean }) => {
        this.numbers.push(n);
        if (redelivered) this.redelivered.push(n);
        await act?.(n);
      },
    };
    const contract = contractOf(topicOf(host));
    const serving = { prefetch, replyExchange: NOVA_EXCHANGE, ...io };
    this.server = new RpcServer(this.link, contract, host as HostName | null, handlers, serving);
    this.probe = new ConsumerProbe(this.link, this.server, { ...io, limits: LIMITS });
  }

  static async start(options: ServerOptions): Promise<ProbedServer> {
    const started = new ProbedServer(options);
    await started.link.whenConnected();
    started.link.onState((state) => started.statesSeen.push(state));
    if (options.holdsName === true) await started.holdName();
    await started.server.start();
    return started;
  }

  get queue(): string {
    const { host } = this.options;
    return host === null ? topicOf(host) : `${topicOf(host)}.${host}`;
  }

  async end(): Promise<void> {
    await this.probe.stop();
    // A channel that stands still in the broker would answer no goodbye.
    this.link.drop('the test is over');
    await this.link.close();
  }

  private async holdName(): Promise<void> {
    const shape = { durable: false, autoDelete: false, exclusive: true, arguments: {}, bindings: [] } as const;
    await this.link.declare({ exchanges: [], queues: [{ name: `${this.queue}.lock`, ...shape }] });
  }
}

const topicOf = (host: string | null): string => (host === null ? 'shared' : 'compute');

/** Sends `act` to a server. */
export function sender(link: Link, host: string | null): (n: number) => Promise<void> {
  const silent = (): void => undefined;
  const log: Log = { debug: silent, info: silent, warn: silent, error: silent };
  const client = rpcClient(link, contractOf(topicOf(host)), { clock: systemClock, random: systemRandom, log });
  const methodsOf = host === null ? client.any() : client.to(host as HostName);
  return (n) => methodsOf.act({ n });
}
