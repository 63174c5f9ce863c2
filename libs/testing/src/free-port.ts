import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:net';

const LOWEST = 10_000;
const TRIES = 100;

/**
 * A TCP port of the loopback that nobody listened on a moment ago, below the range from which the kernel takes the ports
 * of outgoing connections: one of those would otherwise have it before a process that is still starting listens on it.
 * Better, where it can be done: listen on port 0.
 */
export async function freePort(): Promise<number> {
  const end = await firstOutgoingPort();
  for (let attempt = 1; attempt <= TRIES; attempt += 1) {
    const port = LOWEST + Math.floor(Math.random() * (end - LOWEST));
    if (await isFree(port)) return port;
  }
  throw new Error(`no free port was found between ${LOWEST} and ${end}`);
}

export async function listenOnLoopback(server: Server): Promise<number> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('a TCP server without a port');
  return address.port;
}

async function firstOutgoingPort(): Promise<number> {
  const range = await readFile('/proc/sys/net/ipv4/ip_local_port_range', 'utf8');
  return Math.max(Number.parseInt(range, 10), LOWEST + TRIES);
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer().listen(port, '127.0.0.1');
  try {
    await once(server, 'listening');
  } catch {
    return false;
  }
  server.close();
  await once(server, 'close');
  return true;
}
