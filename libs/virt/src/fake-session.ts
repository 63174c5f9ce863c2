import { connect, type Socket } from 'node:net';
import { NovellaError, type PowerState, type ServerId } from '@novella/core';
import { JsonLines } from './fake-lines.js';
import {
  type ArgsOf,
  asError,
  asLine,
  type CallName,
  CALLS,
  hello,
  LONGEST_LINE,
  type ResultOf,
  told,
  type Told,
} from './fake-wire.js';

export interface FakeSessionOptions {
  readonly socketPath: string;
  /** A hypervisor that does not greet, or does not answer a call, for so long is away. */
  readonly callTimeoutMs: number;
  readonly onPowerState: (server: ServerId, powerState: PowerState) => void;
}

export interface CallOptions {
  /** Longer than others: it waits for the guest. */
  readonly extraMs?: number;
  /** Cancels it at the hypervisor; the call then rejects with the signal's reason. */
  readonly signal?: AbortSignal;
}

interface Waiting {
  readonly name: CallName;
  readonly signal: AbortSignal | undefined;
  readonly resolve: (result: unknown) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * One connection to a fake hypervisor, from connect to its end; it never comes back. What the peer sends that cannot be
 * read ends it, as does a call that is not answered: then every call under way is hypervisor-unreachable.
 */
export class FakeSession {
  private readonly lines = new JsonLines(LONGEST_LINE);
  private readonly waiting = new Map<number, Waiting>();
  private onGreeting: (refused: NovellaError | null) => void = () => undefined;
  private hasGreeted = false;
  private lastId = 0;
  private ended: NovellaError | null = null;
  private onEnd: () => void = () => undefined;

  private constructor(
    private readonly socket: Socket,
    private readonly options: FakeSessionOptions,
  ) {
    socket.on('data', (chunk: Buffer) => this.read(chunk));
    socket.on('error', (error) => this.end('the connection to the hypervisor broke', error));
    socket.on('close', () => this.end('the hypervisor closed the connection'));
  }

  /** Connected and greeted. Error: hypervisor-unreachable. */
  static async open(options: FakeSessionOptions): Promise<FakeSession> {
    const session = new FakeSession(connect(options.socketPath), options);
    const late = setTimeout(() => session.end('the hypervisor does not greet'), options.callTimeoutMs);
    try {
      await new Promise<void>((resolve, reject) => {
        session.onGreeting = (refused) => (refused === null ? resolve() : reject(refused));
      });
      return session;
    } finally {
      clearTimeout(late);
    }
  }

  async call<Name extends CallName>(
    name: Name,
    args: ArgsOf<Name>,
    options: CallOptions = {},
  ): Promise<ResultOf<Name>> {
    const { extraMs = 0, signal } = options;
    signal?.throwIfAborted();
    if (this.ended !== null) throw this.ended;
    const id = (this.lastId += 1);
    const cancel = (): void => void this.socket.write(asLine({ cancel: id }));
    const late = setTimeout(
      () => this.end(`the hypervisor does not answer ${name}`),
      this.options.callTimeoutMs + extraMs,
    );
    try {
      const answer = new Promise<unknown>((resolve, reject) => this.waiting.set(id, { name, signal, resolve, reject }));
      signal?.addEventListener('abort', cancel);
      this.socket.write(asLine({ id, call: name, args }));
      return (await answer) as ResultOf<Name>;
    } finally {
      clearTimeout(late);
      signal?.removeEventListener('abort', cancel);
      this.waiting.delete(id);
    }
  }

  /** `listener` is called once, when the session has ended, also when it has ended before. */
  whenEnded(listener: () => void): void {
    this.onEnd = listener;
    if (this.ended !== null) listener();
  }

  close(): void {
    this.end('the session was closed');
  }

  private read(chunk: Buffer): void {
    if (this.ended !== null) return;
    try {
      for (const message of this.lines.push(chunk)) this.onMessage(message);
    } catch (error) {
      this.end('the hypervisor has sent what cannot be read', error);
    }
  }

  private onMessage(message: unknown): void {
    if (this.hasGreeted) {
      this.onTold(told.parse(message));
      return;
    }
    hello.parse(message);
    this.hasGreeted = true;
    this.onGreeting(null);
  }

  private onTold(message: Told): void {
    if ('server' in message) {
      this.options.onPowerState(message.server, message.powerState);
      return;
    }
    const call = this.waiting.get(message.id);
    if (call === undefined) return;
    if ('result' in message) call.resolve(CALLS[call.name].result.parse(message.result));
    else if ('error' in message) call.reject(asError(message.error));
    else call.reject(call.signal?.reason);
  }

  private end(message: string, cause?: unknown): void {
    if (this.ended !== null) return;
    const facts = { socketPath: this.options.socketPath };
    this.ended = new NovellaError('hypervisor-unreachable', message, facts, cause === undefined ? {} : { cause });
    this.socket.destroy();
    this.onGreeting(this.ended);
    for (const { reject } of this.waiting.values()) reject(this.ended);
    this.onEnd();
  }
}
