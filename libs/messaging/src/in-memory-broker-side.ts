import type { NovellaError } from '@novella/core';
import type { Subscription } from './in-memory-queue.js';
import type { Frame, PublishOptions, QueueLook, Topology } from './link.js';
import type { Turns } from './turns.js';

/** What a link asks of its broker; `InMemoryBroker` is the one that there is. */
export interface BrokerSide {
  readonly running: boolean;
  readonly blocked: string | null;
  nextTurn(): Promise<void>;
  /** `connection` owns what is exclusive. */
  declare(topology: Topology, connection: object): void;
  deleteQueue(name: string, connection: object): void;
  /** What the connection had to itself goes. */
  connectionEnded(connection: object): void;
  publish(frame: Frame, options: PublishOptions, userId: string | null): 'confirmed' | 'returned';
  subscribe(subscription: Subscription): void;
  unsubscribe(subscription: Subscription): void;
  release(subscription: Subscription): void;
  ack(subscription: Subscription, tag: number): void;
  look(queue: string): QueueLook;
}

/** One connection, from connect to disconnect. `pending` are the rejections of what waits for the broker's answer. */
export interface Session {
  readonly toBroker: Turns;
  readonly fromBroker: Turns;
  readonly pending: Set<(reason: NovellaError) => void>;
}
