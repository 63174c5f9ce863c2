import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

/**
 * Image and network services that have nothing: openstackclient asks them for names while it lists servers or zones, and
 * fails when the catalog does not have them.
 */
export interface EmptyServices {
  readonly imageUrl: string;
  readonly networkUrl: string;
  close(): Promise<void>;
}

export async function startEmptyServices(): Promise<EmptyServices> {
  const server = createServer((request, response) => {
    const base = `http://${request.headers.host ?? ''}`;
    const path = (request.url ?? '/').split('?', 1)[0] ?? '/';
    const body = emptyAnswer(base, path);
    response.writeHead(body === null ? 404 : 200, { 'content-type': 'application/json' });
    response.end(JSON.stringify(body ?? { message: 'there is nothing' }));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    imageUrl: `${url}/image`,
    networkUrl: `${url}/network`,
    async close() {
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    },
  };
}

function emptyAnswer(base: string, path: string): object | null {
  const version = (id: string, href: string) => ({ id, status: 'CURRENT', links: [{ rel: 'self', href }] });
  if (/^\/image\/?$/.test(path)) return { versions: [version('v2.9', `${base}/image/v2/`)] };
  if (/^\/network\/?$/.test(path)) return { versions: [version('v2.0', `${base}/network/v2.0/`)] };
  // A list of what the path ends in.
  const listed = /^\/(?:image\/v2|network\/v2\.0)\/([a-z_-]+?)(?:\.json)?$/.exec(path)?.[1];
  return listed === undefined ? null : { [listed.replaceAll('-', '_')]: [] };
}
