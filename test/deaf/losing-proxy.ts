import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { freePort } from '@novella/testing';

/** Which packets get lost: those that we send to the broker, those that it sends to us. */
export type Lost = 'to-broker' | 'from-broker';

interface Pair {
  readonly client: Socket;
  readonly target: Socket;
  readonly lost: Set<Lost>;
}

/**
 * A way to the broker on which packets of connections that exist get lost in one direction, ends and resets among them,
 * as when a firewall forgets them; neither side is told. New connections are sound.
 */
export class LosingProxy {
  /** In the order in which they were opened: a link opens the one that consumes, then the one that publishes. */
  private readonly pairs: Pair[] = [];

  private constructor(
    readonly port: number,
    private readonly server: ReturnType<typeof createServer>,
  ) {}

  static async to(target: number): Promise<LosingProxy> {
    const server = createServer({ allowHalfOpen: true });
    const proxy = new LosingProxy(await freePort(), server);
    server.on('connection', (client) => {
      proxy.join(client, connect({ host: '127.0.0.1', port: target, allowHalfOpen: true }));
    });
    server.listen(proxy.port, '127.0.0.1');
    await once(server, 'listening');
    return proxy;
  }

  /** `which`: the connections' numbers; all that exist unless given. */
  lose(lost: Lost, which?: readonly number[]): void {
    const chosen = which === undefined ? this.pairs : which.flatMap((number) => this.pairs[number] ?? []);
    for (const pair of chosen) pair.lost.add(lost);
  }

  async close(): Promise<void> {
    this.server.close();
    for (const { client, target } of this.pairs) {
      client.destroy();
      target.destroy();
    }
    await once(this.server, 'close');
  }

  private join(client: Socket, target: Socket): void {
    const pair: Pair = { client, target, lost: new Set() };
    this.pairs.push(pair);
    pass(client, target, () => pair.lost.has('to-broker'));
    pass(target, client, () => pair.lost.has('from-broker'));
  }
}

function pass(from: Socket, to: Socket, isLost: () => boolean): void {
  // Errors are what the proxy is for; each ends in 'close'.
  from.on('error', () => undefined);
  from.on('data', (chunk) => {
    if (!isLost() && to.writable) to.write(chunk);
  });
  from.on('end', () => {
    if (!isLost()) to.end();
  });
  from.on('close', () => {
    if (!isLost()) to.destroy();
  });
}
