import type { ExchangeDeclaration, QueueDeclaration, Topology } from './link.js';

/** What a link has declared and declares again on each connection, once per name. */
export class RememberedTopology {
  private readonly exchanges = new Map<string, ExchangeDeclaration>();
  private readonly queues = new Map<string, QueueDeclaration>();

  add({ exchanges, queues }: Topology): void {
    for (const exchange of exchanges) this.exchanges.set(exchange.name, exchange);
    for (const queue of queues) {
      const known = this.queues.get(queue.name)?.bindings ?? [];
      const more = queue.bindings.filter(
        ({ exchange, routingKey }) =>
          !known.some((each) => each.exchange === exchange && each.routingKey === routingKey),
      );
      this.queues.set(queue.name, { ...queue, bindings: [...known, ...more] });
    }
  }

  forget(queue: string): void {
    this.queues.delete(queue);
  }

  /** Exclusive queues come first: who lost its name must not consume. */
  all(): Topology {
    const queues = [...this.queues.values()];
    const exclusive = queues.filter((queue) => queue.exclusive === true);
    return {
      exchanges: [...this.exchanges.values()],
      queues: [...exclusive, ...queues.filter((queue) => queue.exclusive !== true)],
    };
  }

  /** The queue with the exchanges that it is bound to; null when it was not declared here. */
  forQueue(name: string): Topology | null {
    const queue = this.queues.get(name);
    if (queue === undefined) return null;
    const exchanges = queue.bindings.flatMap(({ exchange }) => this.exchanges.get(exchange) ?? []);
    return { exchanges, queues: [queue] };
  }
}
