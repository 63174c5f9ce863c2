import { once } from 'node:events';
import { createServer } from 'node:net';
import { freePort } from '@novella/testing';
import { computeNames, conductorNames, type Ports } from './members.js';
import type { ClusterOptions } from './options.js';
import { Refusal } from './state-folder.js';

/** Fixed ports for the APIs unless `--port 0`, free ones for the rest. Throws Refusal when a fixed one is in use. */
export async function choosePorts(options: ClusterOptions): Promise<Ports> {
  const health = new Map<string, number>();
  for (const name of [...conductorNames(options), ...computeNames(options)]) health.set(name, await freePort());
  if (options.port === 0) return { api: await freePort(), cinder: await freePort(), health };
  const ports = { api: options.port, cinder: options.port + 2, health };
  await assertFree(ports.api);
  if (options.cinder === null) await assertFree(ports.cinder);
  return ports;
}

async function assertFree(port: number): Promise<void> {
  const server = createServer().listen(port, '127.0.0.1');
  try {
    await once(server, 'listening');
  } catch {
    throw new Refusal(`port ${port} is in use by another program: give another with --port, or --port 0`);
  }
  server.close();
  await once(server, 'close');
}
