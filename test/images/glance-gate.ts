import { once } from 'node:events';
import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/**
 * Stands before a Glance and does to the data of images what a test wants; all else goes through.
 *
 * pass     as it comes
 * hold     the first piece, and then nothing until another mode is set; the rest is lost
 * damage   the first byte is another
 * refuse   503
 */
export type GateMode = 'pass' | 'hold' | 'damage' | 'refuse';

export class GlanceGate {
  mode: GateMode = 'pass';
  /** How often the data of an image was begun to be given. */
  given = 0;

  private constructor(
    private readonly target: URL,
    private readonly server: ReturnType<typeof createServer>,
  ) {}

  static async before(url: string): Promise<GlanceGate> {
    const server = createServer();
    const gate = new GlanceGate(new URL(url), server);
    server.on('request', (asked: IncomingMessage, response: ServerResponse) => {
      gate.forward(asked, response);
    });
    await once(server.listen(0, '127.0.0.1'), 'listening');
    return gate;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  async close(): Promise<void> {
    const end = once(this.server, 'close');
    this.server.close();
    this.server.closeAllConnections();
    await end;
  }

  private forward(asked: IncomingMessage, response: ServerResponse): void {
    const { hostname: host, port } = this.target;
    const { method = 'GET', url: path = '/', headers } = asked;
    const isData = path.endsWith('/file') && method === 'GET';
    if (isData && this.mode === 'refuse') {
      response.writeHead(503).end();
      return;
    }
    const onward = request({ host, port, method, path, headers, agent: false }, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      if (isData) void this.give(answer, response);
      else answer.pipe(response);
    });
    onward.on('error', () => response.destroy());
    asked.pipe(onward);
  }

  private async give(data: IncomingMessage, response: ServerResponse): Promise<void> {
    this.given += 1;
    let isFirst = true;
    for await (const piece of data as AsyncIterable<Buffer>) {
      if (isFirst && this.mode === 'damage') piece[0] = (piece[0] ?? 0) ^ 0xff;
      response.write(piece);
      if (isFirst && this.mode === 'hold') return;
      isFirst = false;
    }
    response.end();
  }
}
