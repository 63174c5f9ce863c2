import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { NovellaError } from '@novella/core';
import type { Health, HealthReport } from './health.js';

export interface HealthServer {
  /** `http://127.0.0.1:8791/health` */
  readonly url: string;
  close(): Promise<void>;
}

/**
 * Serves the health of a process that has no other HTTP: `/health` and `/health/ready` answer 200 while it is ready or
 * degraded, `/health/live` while a restart would not help, else 503; the body is the report as JSON.
 * Error: internal, grade final, when the address cannot be listened on.
 */
export async function startHealthServer(
  health: Pick<Health, 'look'>,
  { listen, port }: { readonly listen: string; readonly port: number },
): Promise<HealthServer> {
  const server = createServer((request, response) => void answer(health, request, response));
  // Nobody has a reason to send more than a line.
  server.requestTimeout = 5_000;
  server.listen(port, listen);
  try {
    await once(server, 'listening');
  } catch (error) {
    throw cannotListen({ listen, port }, error);
  }
  server.unref();
  return { url: `${urlOf(server)}/health`, close: () => closed(server) };
}

/** The error for an address that a server of ours could not listen on. */
export function cannotListen({ listen, port }: { listen: string; port: number }, cause: unknown): NovellaError {
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : null;
  const why = LISTEN_FAULTS[code ?? ''] ?? 'it cannot be listened on';
  const facts = { address: listen, port, code };
  return new NovellaError('internal', `${listen} port ${port}: ${why}`, facts, { cause, grade: 'final' });
}

const LISTEN_FAULTS: Readonly<Record<string, string>> = {
  EADDRINUSE: 'the port is in use by another program',
  EADDRNOTAVAIL: 'the address is not one of this machine',
  EACCES: 'the port may not be used by this user',
};

/** What the process answers for one of the three paths. */
export function healthStatus(path: string, { live, ready }: HealthReport): 200 | 503 | 404 {
  if (path === '/health' || path === '/health/ready') return ready ? 200 : 503;
  if (path === '/health/live') return live ? 200 : 503;
  return 404;
}

async function answer(health: Pick<Health, 'look'>, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const path = (request.url ?? '/').split('?', 1)[0] ?? '/';
  const report = await health.look();
  const known = request.method === 'GET' || request.method === 'HEAD' ? healthStatus(path, report) : 405;
  const body = known === 200 || known === 503 ? report : { error: known === 405 ? 'only GET is served' : 'not found' };
  response.writeHead(known, { 'content-type': 'application/json', 'cache-control': 'no-store' });
  response.end(request.method === 'HEAD' ? undefined : `${JSON.stringify(body)}\n`);
}

function urlOf(server: Server): string {
  const at = server.address();
  if (at === null || typeof at === 'string') throw new Error('a TCP server without an address');
  return `http://${at.family === 'IPv6' ? `[${at.address}]` : at.address}:${at.port}`;
}

async function closed(server: Server): Promise<void> {
  const end = once(server, 'close');
  server.close();
  server.closeAllConnections();
  await end;
}
