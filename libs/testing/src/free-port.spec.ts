import { describe, expect, it } from '@jest/globals';
import { createServer } from 'node:net';
import { readFile } from 'node:fs/promises';
import { freePort, listenOnLoopback } from './free-port.js';

describe('a free port', () => {
  it('is none that an outgoing connection may take before it is listened on', async () => {
    const range = await readFile('/proc/sys/net/ipv4/ip_local_port_range', 'utf8');
    expect(await freePort()).toBeLessThan(Math.max(Number.parseInt(range, 10), 10_100));
  });

  it('can be listened on', async () => {
    const port = await freePort();
    const server = createServer().listen(port, '127.0.0.1');
    await new Promise((resolve, reject) => server.once('listening', resolve).once('error', reject));
    await new Promise((resolve) => server.close(resolve));
  });

  it('is the system’s choice for a server that asks for none', async () => {
    const server = createServer();
    expect(await listenOnLoopback(server)).toBeGreaterThan(0);
    await new Promise((resolve) => server.close(resolve));
  });
});
