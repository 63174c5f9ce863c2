import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { freePort } from '@novella/testing';

/**
 * The way to a service on this machine. While it is closed nobody listens there, as before the service was started; the
 * service itself goes on. It opens on the same port each time.
 */
export class Way {
  private server: Server | null = null;
  private readonly sockets = new Set<Socket>();

  private constructor(
    readonly port: number,
    private readonly target: number,
  ) {}

  static async to(target: number): Promise<Way> {
    const way = new Way(await freePort(), target);
    await way.open();
    return way;
  }

  async open(): Promise<void> {
    if (this.server !== null) return;
    this.server = createServer((client) => this.join(client, connect({ host: '127.0.0.1', port: this.target })));
    this.server.listen(this.port, '127.0.0.1');
    await once(this.server, 'listening');
  }

  async close(): Promise<void> {
    const { server } = this;
    if (server === null) return;
    this.server = null;
    server.close();
    for (const socket of this.sockets) socket.destroy();
    await once(server, 'close');
  }

  private join(client: Socket, target: Socket): void {
    for (const [one, other] of [
      [client, target],
      [target, client],
    ] as const) {
      this.sockets.add(one);
      // What broke the one ends the other.
      one.on('error', () => undefined);
      one.on('close', () => {
        this.sockets.delete(one);
        other.destroy();
      });
      one.pipe(other);
    }
  }
}
