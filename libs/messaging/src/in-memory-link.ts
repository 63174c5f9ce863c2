import { NovellaError } from '@novella/core';
import type { BrokerSide, Session } from './in-memory-broker-side.js';
import { InMemoryConsumer } from './in-memory-consumer.js';
import { mustFit } from './limits.js';
import type {
  ConsumeOptions,
  Delivery,
  Frame,
  Link,
  LinkConsumer,
  LinkState,
  PublishOptions,
  Topology,
} from './link.js';
import { RememberedTopology } from './remembered-topology.js';
import { StateListeners } from './state-listeners.js';
import { Turns } from './turns.js';
import { unreachable } from './unreachable.js';

/** A link to an `InMemoryBroker`, with `disconnect` and `reconnect` besides what every link has. */
export class InMemoryLink implements Link {
  private session: Session | null = null;
  private closed = false;
  private readonly remembered = new RememberedTopology();
  private readonly consumers = new Set<InMemoryConsumer>();
  private readonly states = new StateListeners(() => this.state);
  private readonly nameListeners = new Set<(queue: string) => void>();

  constructor(
    private readonly broker: BrokerSide,
    private readonly user: string | null,
    private readonly onClosed: (link: InMemoryLink) => void,
  ) {
    if (broker.running) this.establish();
  }

  get state(): LinkState {
    if (this.closed) return 'closed';
    return this.session === null ? 'disconnected' : 'connected';
  }

  get blocked(): string | null {
    return this.session === null ? null : this.broker.blocked;
  }

  onState(listener: (state: LinkState) => void): () => void {
    return this.states.onState(listener);
  }

  onNameLost(listener: (queue: string) => void): void {
    this.nameListeners.add(listener);
  }

  whenConnected(signal?: AbortSignal): Promise<void> {
    return this.states.whenConnected(signal);
  }

  async declare(topology: Topology): Promise<void> {
    await this.inEffect((session) => this.broker.declare(topology, session));
    this.remembered.add(topology);
  }

  async deleteQueue(name: string): Promise<void> {
    this.remembered.forget(name);
    await Promise.all([...this.consumers].filter(({ queue }) => queue === name).map((each) => each.cancel()));
    await this.inEffect((session) => this.broker.deleteQueue(name, session));
  }

  async publish(frame: Frame, options: PublishOptions): Promise<'confirmed' | 'returned'> {
    if (this.session === null) throw unreachable(`the link is ${this.state}`);
    mustFit(frame);
    return this.ask(() => this.broker.publish(frame, options, this.user));
  }

  async consume(queue: string, options: ConsumeOptions, onDelivery: (d: Delivery) => void): Promise<LinkConsumer> {
    const wants = { queue, prefetch: options.prefetch, onDelivery };
    const consumer: InMemoryConsumer = new InMemoryConsumer(this.broker, wants, {
      now: (run) => this.onThisConnection(run),
      ask: (run) => this.ask(run),
      queueDeleted: () => this.consumeAgain(consumer),
      ended: () => this.consumers.delete(consumer),
    });
    await this.inEffect((session) => consumer.attach(session));
    this.consumers.add(consumer);
    return consumer;
  }

  drop(_reason: string): void {
    if (this.session === null) return;
    this.disconnect();
    void this.broker.nextTurn().then(() => this.reconnect());
  }

  async close(): Promise<void> {
    // One round trip: whatever was sent before, acks among it, has then reached the broker.
    await this.onThisConnection(() => undefined);
    if (this.closed) return;
    this.lose();
    this.end();
  }

  /** Loses the connection, as when its socket breaks; what is on the way in either direction is lost. */
  disconnect(): void {
    if (this.session === null) return;
    this.lose();
    this.states.tell();
  }

  reconnect(): void {
    if (this.session !== null || this.closed || !this.broker.running) return;
    try {
      this.establish();
    } catch (error) {
      this.loseName(error);
      return;
    }
    this.states.tell();
  }

  private establish(): void {
    const nextTurn = () => this.broker.nextTurn();
    const session: Session = {
      toBroker: new Turns(nextTurn),
      fromBroker: new Turns(nextTurn),
      pending: new Set<(reason: NovellaError) => void>(),
    };
    this.broker.declare(this.remembered.all(), session);
    for (const consumer of this.consumers) consumer.attach(session);
    this.session = session;
  }

  private loseName(error: unknown): void {
    if (!(error instanceof NovellaError) || error.code !== 'host-name-taken') throw error;
    for (const listener of this.nameListeners) listener(String(error.facts['queue']));
    this.end();
  }

  private end(): void {
    this.closed = true;
    this.onClosed(this);
    this.states.tell();
  }

  /** As the link of a real broker does when it hears that the queue under a consumer is gone. */
  private async consumeAgain(consumer: InMemoryConsumer): Promise<void> {
    await this.inEffect((session) => {
      const topology = this.remembered.forQueue(consumer.queue);
      if (topology === null) return;
      this.broker.declare(topology, session);
      consumer.attach(session);
    }).catch(() => undefined);
  }

  private lose(): void {
    const session = this.session;
    if (session === null) return;
    this.session = null;
    session.toBroker.cut();
    session.fromBroker.cut();
    this.broker.connectionEnded(session);
    for (const consumer of this.consumers) consumer.detach();
    for (const reject of session.pending) reject(unreachable('the link went down before the broker answered'));
    session.pending.clear();
  }

  /** Runs at the broker in a later turn and answers in another; rejects when the connection is lost in between. */
  private request<T>(session: Session, run: () => T): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      session.pending.add(reject);
      const answer = (settle: () => void) =>
        session.fromBroker.push(() => {
          session.pending.delete(reject);
          settle();
        });
      session.toBroker.push(() => {
        try {
          const result = run();
          answer(() => resolve(result));
        } catch (error) {
          const reason = error instanceof Error ? error : new Error(String(error));
          answer(() => reject(reason));
        }
      });
    });
  }

  private async ask<T>(run: () => T): Promise<T> {
    if (this.session === null) throw unreachable(`the link is ${this.state}`);
    return this.request(this.session, run);
  }

  /** For what shall hold on every connection: asked again after each one that was lost before the answer. */
  private async inEffect(run: (session: Session) => void): Promise<void> {
    for (;;) {
      await this.whenConnected();
      const session = this.session;
      if (session === null) continue;
      try {
        await this.request(session, () => run(session));
        return;
      } catch (error) {
        if (this.session === session) throw error;
      }
    }
  }

  /** For what the next connection begins with anyway: asked only while there is one. */
  private async onThisConnection(run: () => void): Promise<void> {
    const session = this.session;
    if (session === null) return;
    await this.request(session, run).catch((error: unknown) => {
      if (this.session === session) throw error;
    });
  }
}
