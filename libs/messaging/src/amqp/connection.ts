import type { Socket } from 'node:net';
import { type Channel, type ChannelModel, type ConfirmChannel, connect } from 'amqplib';
import { unreachable } from '../unreachable.js';

export interface ConnectionOptions {
  /** `amqp://user:password@host:5672/vhost`, or amqps; user, password and vhost percent-encoded. */
  readonly url: URL;
  /** What the broker's tools show. */
  readonly name: string;
  readonly heartbeatS: number;
  /** For TCP, TLS and AMQP's handshake together. */
  readonly connectTimeoutMs: number;
}

/** One AMQP connection, from handshake to end. */
export class AmqpConnection {
  /** Why the broker reads nothing from this connection at the moment; null when it does. */
  blocked: string | null = null;
  /** Resolves when the connection is over, with what ended it. */
  readonly gone: Promise<Error>;
  private readonly end = new AbortController();

  private constructor(private readonly model: ChannelModel) {
    this.gone = new Promise((resolve) => {
      let why: Error | null = null;
      // amqplib tells of a fault by 'error' and then 'close', of an ordinary end by 'close' alone.
      model.on('error', (error) => (why ??= error));
      model.on('close', (error) => {
        this.end.abort();
        // After a missed heartbeat the other end answers nothing, not even the end of the stream.
        this.socket.destroy();
        resolve(why ?? error ?? new Error('the connection was closed'));
      });
    });
    model.on('blocked', (reason) => (this.blocked = reason));
    model.on('unblocked', () => (this.blocked = null));
  }

  /** Rejects with `broker-unreachable`; the cause is what the socket or the broker said. */
  static async open({ url, name, heartbeatS, connectTimeoutMs }: ConnectionOptions): Promise<AmqpConnection> {
    const where = {
      protocol: url.protocol.replace(':', ''),
      hostname: url.hostname.replace(/^\[|\]$/g, ''),
      ...(url.port === '' ? {} : { port: Number(url.port) }),
      username: decodeURIComponent(url.username),
      password: decodeURIComponent(url.password),
      vhost: url.pathname.slice(1),
      heartbeat: heartbeatS,
    };
    // Without noDelay a confirm may wait for the other side's delayed TCP ack (40 ms).
    const socket = { noDelay: true, timeout: connectTimeoutMs, clientProperties: { connection_name: name } };
    try {
      return new AmqpConnection(await connect(where, socket));
    } catch (cause) {
      throw unreachable('the broker cannot be reached', { host: url.host }, cause);
    }
  }

  get ended(): AbortSignal {
    return this.end.signal;
  }

  get isOver(): boolean {
    return this.end.signal.aborted;
  }

  channel(): Promise<Channel> {
    return quiet(this.model.createChannel());
  }

  confirmChannel(): Promise<ConfirmChannel> {
    return quiet(this.model.createConfirmChannel());
  }

  /** Says goodbye; what waits in channels must have been sent before. */
  async close(): Promise<void> {
    if (this.isOver) return;
    // amqplib forgets to answer when the socket breaks meanwhile.
    await Promise.race([this.model.close().catch(() => undefined), this.gone]);
  }

  destroy(why = new Error('given up')): void {
    if (!this.isOver) this.socket.destroy(why);
  }

  /** amqplib does not hand it out, and ends it only politely. */
  private get socket(): Socket {
    return (this.model.connection as unknown as { readonly stream: Socket }).stream;
  }
}

/** A channel's 'error' always comes with its 'close', and the request that caused it is rejected: nobody need listen. */
async function quiet<C extends Channel>(opening: Promise<C>): Promise<C> {
  const channel = await opening;
  channel.on('error', () => undefined);
  return channel;
}
