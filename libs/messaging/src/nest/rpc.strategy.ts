import type { HandlersOf, MessageFacts, RpcContract } from '@novella/contracts';
import { type HostName, NovellaError } from '@novella/core';
import { type CustomTransportStrategy, type MessageHandler, Server } from '@nestjs/microservices';
import { isObservable, lastValueFrom } from 'rxjs';
import type { Link, LinkState } from '../link.js';
import { RpcServer, type RpcServerOptions } from '../rpc-server.js';
import { transportOf } from './rpc-endpoint.decorator.js';

export interface RpcStrategyOptions extends RpcServerOptions {
  /** How long running handlers may take to finish when the application closes; 30 s unless given. */
  readonly graceMs?: number;
}

/** Carries one contract into a Nest application: Nest collects the handlers, `RpcServer` does the work. */
export class RpcStrategy<C extends RpcContract>
  extends Server<LinkEvents, LinkState>
  implements CustomTransportStrategy
{
  override readonly transportId: symbol;
  private readonly collected = new Map<string, MessageHandler[]>();
  private server: RpcServer<C> | null = null;
  private forgetLink: () => void = () => undefined;

  constructor(
    private readonly link: Link,
    private readonly contract: C,
    private readonly serverHost: HostName | null,
    private readonly options: RpcStrategyOptions,
  ) {
    super();
    this.transportId = transportOf(contract);
  }

  override addHandler(pattern: unknown, handler: MessageHandler): void {
    const name = typeof pattern === 'string' ? pattern : JSON.stringify(pattern);
    this.collected.set(name, [...(this.collected.get(name) ?? []), handler]);
  }

  /**
   * Fails with all faults of the handlers at once. Does not wait for a broker that is away: the queues are consumed as
   * soon as it is there.
   */
  async listen(callback: (error?: unknown) => void): Promise<void> {
    try {
      const faults = handlerFaults(this.contract, this.collected);
      if (faults.length > 0) throw new NovellaError('internal', faults.join('; '), {}, { grade: 'final' });
      const server = new RpcServer(this.link, this.contract, this.serverHost, this.handlers(), this.options);
      this.server = server;
      this._status$.next(this.link.state);
      this.forgetLink = this.link.onState((state) => this._status$.next(state));
      const started = server.start();
      if (this.link.state === 'connected') await started;
      else started.catch((error: unknown) => this.options.log.error('the RPC server did not start', { error }));
      callback();
    } catch (error) {
      callback(error);
    }
  }

  async close(): Promise<void> {
    this.forgetLink();
    await this.server?.close({ graceMs: this.options.graceMs ?? 30_000 });
  }

  on<Event extends keyof LinkEvents>(event: Event, listener: LinkEvents[Event]): () => void {
    return this.link.onState((state) => (state === event ? listener() : undefined));
  }

  /** The RPC server; before `listen` there is none. */
  // eslint-disable-next-line @typescript-eslint/no-unnecessary-type-parameters -- the signature is Nest's
  unwrap<T = RpcServer<C>>(): T {
    if (this.server === null) throw new NovellaError('internal', 'the strategy does not listen yet');
    return this.server as T;
  }

  private handlers(): HandlersOf<C> {
    const entries = [...this.collected].map(([name, [handler]]) => [
      name,
      async (args: unknown, facts: MessageFacts): Promise<unknown> => {
        const answer: unknown = await handler?.(args, facts);
        return isObservable(answer) ? lastValueFrom(answer, { defaultValue: undefined }) : answer;
      },
    ]);
    return Object.fromEntries(entries) as HandlersOf<C>;
  }
}

type LinkEvents = Record<LinkState, () => void>;

/** Each method of the contract has exactly one handler, and no handler is for anything else; empty when that holds. */
export function handlerFaults(contract: RpcContract, handlers: ReadonlyMap<string, readonly unknown[]>): string[] {
  const methods = Object.keys(contract.methods);
  const missing = methods.filter((name) => !handlers.has(name)).map((name) => `${name} has no handler`);
  const unknown = [...handlers.keys()]
    .filter((name) => !methods.includes(name))
    .map((name) => `${name} is no method of ${contract.topic} ${contract.version}`);
  const several = [...handlers]
    .filter(([, all]) => all.length > 1)
    .map(([name, all]) => `${name} has ${all.length} handlers`);
  return [...missing, ...unknown, ...several];
}
