import { NovellaError } from '@novella/core';
import type {
  ConsumeOptions,
  Delivery,
  Frame,
  InMemoryLink,
  Link,
  LinkConsumer,
  LinkState,
  PublishOptions,
  Topology,
} from '@novella/messaging';
import type { SimulatedProcess } from './process.js';

/** What becomes of a published frame besides what the broker makes of it. */
export type PublishFault = 'none' | 'lost' | 'confirm-lost' | 'refused';

/** The link of one process, through which it is cut off from the broker when it dies or stands still. */
export class GatedLink implements Link {
  constructor(
    private readonly link: InMemoryLink,
    private readonly process: SimulatedProcess,
    private readonly publishFault: (frame: Frame) => PublishFault,
  ) {
    process.onDeath(() => {
      // Its socket is gone at once; without a session the close needs no answer.
      link.disconnect();
      void link.close();
    });
  }

  get state(): LinkState {
    return this.link.state;
  }

  get blocked(): string | null {
    return this.link.blocked;
  }

  onState(listener: (state: LinkState) => void): () => void {
    return this.link.onState((state) => this.process.receive(() => listener(state)));
  }

  onNameLost(listener: (queue: string) => void): void {
    this.link.onNameLost((queue) => this.process.receive(() => listener(queue)));
  }

  whenConnected(signal?: AbortSignal): Promise<void> {
    return this.process.call(() => this.link.whenConnected(signal));
  }

  declare(topology: Topology): Promise<void> {
    return this.process.call(() => this.link.declare(topology));
  }

  deleteQueue(name: string): Promise<void> {
    return this.process.call(() => this.link.deleteQueue(name));
  }

  publish(frame: Frame, options: PublishOptions): Promise<'confirmed' | 'returned'> {
    return this.process.call(async () => {
      const fault = this.publishFault(frame);
      if (fault === 'refused') throw unreachable('the broker refused the message');
      if (fault === 'lost') return 'confirmed';
      const outcome = await this.link.publish(frame, options);
      if (fault === 'confirm-lost') throw unreachable('the confirm was lost');
      return outcome;
    });
  }

  consume(queue: string, options: ConsumeOptions, onDelivery: (delivery: Delivery) => void): Promise<LinkConsumer> {
    return this.process.call(async () => {
      const consumer = await this.link.consume(queue, options, (delivery) => {
        const taken = this.taken(delivery);
        this.process.receive(() => onDelivery(taken));
      });
      return this.gated(consumer);
    });
  }

  drop(reason: string): void {
    this.process.receive(() => this.link.drop(reason));
  }

  close(): Promise<void> {
    return this.process.call(() => this.link.close());
  }

  /** The delivery as the process has it: it hears that it was lost only while it runs, and acks only while it lives. */
  private taken(delivery: Delivery): Delivery {
    const lost = new AbortController();
    const tell = () => this.process.receive(() => lost.abort());
    if (delivery.lost.aborted) tell();
    else delivery.lost.addEventListener('abort', tell, { once: true });
    return { ...delivery, lost: lost.signal, ack: () => this.process.receive(() => delivery.ack()) };
  }

  private gated(consumer: LinkConsumer): LinkConsumer {
    const { process } = this;
    return {
      pause: () => process.call(() => consumer.pause()),
      resume: () => process.call(() => consumer.resume()),
      look: () => process.call(() => consumer.look()),
      cancel: () => process.call(() => consumer.cancel()),
    };
  }
}

const unreachable = (message: string): NovellaError => new NovellaError('broker-unreachable', message);
