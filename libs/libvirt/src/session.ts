import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { NovellaError } from '@novella/core';
import { type CallLimits, Calls } from './calls.js';
import { dispatchEvent, type EventListeners, EVENTS } from './events.js';
import { type Frame, FrameReader, PROGRAM, TYPE } from './frame.js';
import { Keepalive, type KeepaliveLimits } from './keepalive.js';
import type { ArgsOf, ProcedureName, ResultOf } from './procedures.js';
import { XdrError } from './xdr.js';

export interface SessionOptions {
  readonly socketPath: string;
  readonly uri: string;
  readonly calls: CallLimits;
  readonly keepalive: KeepaliveLimits;
}

const AUTH = { none: 0, polkit: 2 } as const;
/** VIR_DRV_FEATURE_PROGRAM_KEEPALIVE */
const FEATURE_KEEPALIVE = 10;
const GOODBYE_LIMIT_MS = 1_000;

/**
 * One connection to libvirtd, from connect to its end; it never comes back. What the peer sends that cannot be read ends
 * it: after that nothing in the stream can be trusted.
 */
export class Session {
  private readonly frames = new FrameReader();
  private readonly calls: Calls;
  private readonly keepalive: Keepalive;
  private ended = false;
  private onEnd: (error: NovellaError) => void = () => undefined;

  private constructor(
    private readonly socket: Socket,
    options: SessionOptions,
    private readonly listeners: EventListeners,
  ) {
    const send = (packet: Buffer): void => void socket.write(packet);
    this.calls = new Calls(options.calls, send, () => this.end('libvirtd answers no call any more'));
    this.keepalive = new Keepalive(options.keepalive, send, () => this.end('libvirtd answers no keepalive ping'));
    socket.on('data', (chunk: Buffer) => this.read(chunk));
    socket.on('error', (error) => this.end('the connection to libvirtd broke', error));
    socket.on('close', () => this.end('libvirtd closed the connection'));
  }

  /** Connected, authenticated, opened, registered for events. Error: hypervisor-unreachable. */
  static async open(options: SessionOptions, listeners: EventListeners): Promise<Session> {
    // Writes before the connection stands are kept by the socket.
    const session = new Session(connect(options.socketPath), options, listeners);
    try {
      await session.authenticate();
      await session.call('connectOpen', { name: options.uri, flags: 0 });
      const { supported } = await session.call('connectSupportsFeature', { feature: FEATURE_KEEPALIVE });
      if (supported === 1) session.keepalive.start();
      const events = Object.values(EVENTS);
      await Promise.all(
        events.map(({ id }) => session.call('connectDomainEventCallbackRegisterAny', { eventId: id, domain: null })),
      );
    } catch (error) {
      session.end('libvirtd let no session be opened', error);
      const facts = { socketPath: options.socketPath };
      throw new NovellaError('hypervisor-unreachable', 'no session with libvirtd', facts, { cause: error });
    }
    return session;
  }

  call<Name extends ProcedureName>(name: Name, args: ArgsOf<Name>): Promise<ResultOf<Name>> {
    return this.calls.call(name, args);
  }

  /** `listener` is called once, when the session has ended, also when it has ended before. */
  whenEnded(listener: (error: NovellaError) => void): void {
    this.onEnd = listener;
    if (this.ended) listener(unusable('the session with libvirtd has ended'));
  }

  /** Says goodbye, waits a little for the answer, and ends. */
  async close(): Promise<void> {
    const goodbye = this.call('connectClose', undefined).catch(() => undefined); // ended already, or ends now
    await Promise.race([goodbye, sleep(GOODBYE_LIMIT_MS, undefined, { ref: false })]);
    this.end('the session was closed');
  }

  private async authenticate(): Promise<void> {
    const { types } = await this.call('authList', undefined);
    if (types.length === 0 || types.includes(AUTH.none)) return;
    if (!types.includes(AUTH.polkit)) throw unusable(`libvirtd wants authentication of types ${types.join(', ')}`);
    const { complete } = await this.call('authPolkit', undefined);
    if (complete !== 1) throw unusable('libvirtd did not complete the authentication by polkit');
  }

  private read(chunk: Buffer): void {
    if (this.ended) return;
    this.keepalive.heard();
    try {
      for (const frame of this.frames.push(chunk)) this.onFrame(frame);
    } catch (error) {
      if (!(error instanceof XdrError)) throw error;
      this.end('libvirtd sent what cannot be read', error);
    }
  }

  private onFrame(frame: Frame): void {
    if (frame.program === PROGRAM.keepalive) {
      this.keepalive.onFrame(frame);
      return;
    }
    if (frame.program !== PROGRAM.remote) throw new XdrError(`a packet of program ${frame.program}`);
    switch (frame.type) {
      case TYPE.reply: {
        this.calls.onReply(frame);
        return;
      }
      case TYPE.message: {
        dispatchEvent(frame, this.listeners);
        return;
      }
      default:
        throw new XdrError(`a packet of type ${frame.type}`);
    }
  }

  private end(message: string, cause?: unknown): void {
    if (this.ended) return;
    this.ended = true;
    const error = unusable(message, cause);
    this.keepalive.stop();
    this.socket.destroy();
    this.calls.drop(error);
    this.onEnd(error);
  }
}

function unusable(message: string, cause?: unknown): NovellaError {
  return new NovellaError('hypervisor-unreachable', message, {}, cause === undefined ? {} : { cause });
}
