/**
 * A link to the broker: what AMQP 0-9-1 gives and nothing more. It carries encoded frames; what is in them is the
 * envelope's business. `InMemoryLink` implements it, and every implementation passes `conformance/link-conformance.ts`.
 *
 * A link reconnects by itself. What was declared and consumed is remembered and is in effect again when `state` is
 * `connected`; deliveries of the connection that was lost are void (`Delivery.lost`) and come again from the queue.
 */
export type LinkState = 'connected' | 'disconnected' | 'closed';

export interface Link {
  readonly state: LinkState;
  /** Why the broker takes no publishes at this moment (memory or disk alarm), in its own words; null when it does. */
  readonly blocked: string | null;
  /** Calls `listener` at each change, in the same turn; the function that comes back ends it. */
  onState(listener: (state: LinkState) => void): () => void;
  /** Calls `listener` when an exclusive queue of ours is another's after a reconnect. The link is then closed. */
  onNameLost(listener: (queue: string) => void): void;
  /**
   * Resolves at once when connected, else at the next connection.
   * Rejects with the signal's reason, or with `broker-unreachable` when the link is closed.
   */
  whenConnected(signal?: AbortSignal): Promise<void>;

  /**
   * Makes exchanges, queues and bindings; repeating it changes nothing. Waits for a connection when there is none.
   * What this user may not make must be there already. Rejects with `broker-refused` when the broker has one of them
   * with other arguments (facts name which, and the message how to mend it) or it is not there and may not be made, and
   * with `host-name-taken` when an exclusive queue of that name is another connection's.
   */
  declare(topology: Topology): Promise<void>;

  /** Forgets the queue and deletes it with what is in it; one that is not there is no error. */
  deleteQueue(name: string): Promise<void>;

  /**
   * `confirmed`: the broker has taken the frame, which is no promise that a queue has, unless it is mandatory.
   * `returned`: mandatory, and no queue took it.
   * Rejects with `broker-unreachable` when the link is down, goes down before the confirm, or the broker refuses the
   * frame (the outcome is then unknown; while `blocked` it was not sent), with `rpc-no-route` when the exchange does not
   * exist, `broker-refused` when this user may not publish there, and `rpc-message-invalid` when the frame is larger than
   * 16 MiB or cannot be encoded.
   */
  publish(frame: Frame, options: PublishOptions): Promise<'confirmed' | 'returned'>;

  /** Consumes with manual acks. Waits for a connection when there is none. */
  consume(queue: string, options: ConsumeOptions, onDelivery: (delivery: Delivery) => void): Promise<LinkConsumer>;

  /**
   * Gives up the connection at once, without a word that the other side would have to answer, and connects anew. What is
   * not acked comes again. Without effect while there is no connection. `reason` is for the log.
   */
  drop(reason: string): void;

  /** Waits for the confirms of what was published, hands back what is not acked, and ends the link for good. */
  close(): Promise<void>;
}

export interface Frame {
  /** '' is the default exchange, whose routing key is a queue's name. */
  readonly exchange: string;
  readonly routingKey: string;
  readonly body: Buffer;
  readonly contentType: string;
  readonly contentEncoding: string;
  readonly headers: FrameHeaders;
}
export type FrameHeaders = Readonly<Record<string, string | number | boolean>>;

export interface PublishOptions {
  /** delivery_mode 2: survives a restart of the broker in a durable queue. */
  readonly persistent: boolean;
  readonly mandatory: boolean;
  /** The broker drops the frame when it waited for so long in a queue. */
  readonly expirationMs?: number;
}

export interface ConsumeOptions {
  /** How many deliveries may be unacked at once on this consumer. */
  readonly prefetch: number;
}

export interface Delivery extends Frame {
  readonly queue: string;
  /** True when the broker had handed the frame out before. */
  readonly redelivered: boolean;
  /** How often it had come back to the queue. */
  readonly deliveryCount: number;
  /** The broker user of the link that published it, checked by the broker; null when the publisher did not say. */
  readonly userId: string | null;
  /** Aborted when the delivery can no longer be acked: the connection or the consumer is gone, the frame is requeued. */
  readonly lost: AbortSignal;
  /** Takes the frame off the queue; without effect after `lost`. There is no way to requeue a single frame on purpose. */
  ack(): void;
}

export interface LinkConsumer {
  /**
   * After it resolves no delivery comes; those that are held can still be acked, and count against the prefetch after a
   * resume. Repeating it changes nothing. The broker takes back what was on its way to us: it comes later, perhaps behind
   * others, and as redelivered.
   */
  pause(): Promise<void>;
  resume(): Promise<void>;
  /**
   * What the broker has of the queue, asked behind the acks of this consumer and on its own way to the broker: an answer
   * proves that they have arrived. Rejects with `broker-unreachable` when there is no connection, or it ends meanwhile;
   * never resolves when the broker never answers.
   */
  look(): Promise<QueueLook>;
  /** Ends the consumer; what it has not acked goes back to the head of the queue in its old order. */
  cancel(): Promise<void>;
}

export interface QueueLook {
  /** Frames that wait for a consumer. */
  readonly ready: number;
  /** Of all links; a broker that cannot tell says 0. */
  readonly consumers: number;
}

export interface Topology {
  readonly exchanges: readonly ExchangeDeclaration[];
  readonly queues: readonly QueueDeclaration[];
}

export interface ExchangeDeclaration {
  readonly name: string;
  readonly type: 'topic' | 'fanout';
  readonly durable: boolean;
  readonly autoDelete: boolean;
}

export interface QueueDeclaration {
  readonly name: string;
  readonly durable: boolean;
  readonly autoDelete: boolean;
  /**
   * Belongs to the connection that declared it and goes with it: who has it holds its name. After a reconnect the link
   * takes it again; when another has it by then, the link says so through `onNameLost` and closes.
   */
  readonly exclusive?: true;
  readonly arguments: Readonly<Record<string, string | number>>;
  readonly bindings: readonly { readonly exchange: string; readonly routingKey: string }[];
}
