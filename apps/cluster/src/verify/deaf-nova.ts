import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface DeafNova {
  /** `http://host:port/v2.1` */
  readonly url: string;
  close(): Promise<void>;
}

/** Where cinder-dev's own events go: they are answered, and nothing comes of them. What counts is posted by the run. */
export async function startDeafNova(): Promise<DeafNova> {
  const server = createServer((request, response) => {
    request.resume().on('end', () => response.setHeader('content-type', 'application/json').end('{"events":[]}'));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}/v2.1`,
    async close() {
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    },
  };
}
