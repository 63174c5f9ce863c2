import type { Clock, Millis } from '@novella/core';
import { AmqpConnection } from './connection.js';
import { Publisher } from './publisher.js';
import { TopologyChannel } from './topology-channel.js';

const CONNECT_TIMEOUT_MS = 10_000;

export interface SessionOptions {
  readonly url: URL;
  readonly connectionName: string;
  readonly heartbeatS: number;
  readonly confirmTimeout: Millis;
  readonly clock: Clock;
}

/**
 * The two connections of a link, which live and end together: a broker that blocks publishers stops reading the one, and
 * acks go on over the other.
 */
export class Session {
  /** Resolves when one of the connections is over, with what ended it. */
  readonly gone: Promise<Error>;

  private constructor(
    readonly consuming: AmqpConnection,
    readonly publishing: AmqpConnection,
    readonly topology: TopologyChannel,
    readonly publisher: Publisher,
  ) {
    this.gone = Promise.race([consuming.gone, publishing.gone]);
    void this.gone.then((why) => {
      publisher.end(why);
      this.destroy();
    });
  }

  /** Rejects with `broker-unreachable`. */
  static async open({ url, connectionName, heartbeatS, confirmTimeout, clock }: SessionOptions): Promise<Session> {
    const common = { url, heartbeatS, connectTimeoutMs: CONNECT_TIMEOUT_MS };
    const consuming = await AmqpConnection.open({ ...common, name: `${connectionName}:consume` });
    try {
      const publishing = await AmqpConnection.open({ ...common, name: `${connectionName}:publish` });
      const userId = decodeURIComponent(url.username);
      const publisher = new Publisher(publishing, { clock, confirmTimeout, userId });
      const session = new Session(consuming, publishing, new TopologyChannel(consuming), publisher);
      await publisher.open();
      return session;
    } catch (error) {
      consuming.destroy();
      throw error;
    }
  }

  get isOver(): boolean {
    return this.consuming.isOver || this.publishing.isOver;
  }

  /** Ends both in the proper way. */
  async close(): Promise<void> {
    await Promise.all([this.publishing.close(), this.consuming.close()]);
  }

  /** Without a word to the broker, which may not answer. */
  destroy(why?: Error): void {
    this.consuming.destroy(why);
    this.publishing.destroy(why);
  }
}
