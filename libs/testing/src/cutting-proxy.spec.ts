import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { type CuttingProxy, cuttingProxy } from './cutting-proxy.js';
import { listenOnLoopback } from './free-port.js';
import { waitUntil } from './wait-until.js';

let target: Server;
let served: Socket[];
let proxy: CuttingProxy;
let clients: Socket[];

beforeEach(async () => {
  served = [];
  clients = [];
  // Echoes, and ends when the client does.
  target = createServer((socket) => {
    served.push(socket);
    socket.on('error', () => undefined);
    socket.pipe(socket);
  });
  proxy = await cuttingProxy({ port: await listenOnLoopback(target) });
});

afterEach(async () => {
  for (const client of clients) client.destroy();
  await proxy.close();
  target.close();
  for (const socket of served) socket.destroy();
});

interface Client {
  readonly socket: Socket;
  /** All that came back so far, then how the connection ended. */
  readonly seen: { text: string; ended: 'end' | 'error' | null };
}

async function client(): Promise<Client> {
  const socket = connect(proxy.port, proxy.host);
  clients.push(socket);
  const seen: Client['seen'] = { text: '', ended: null };
  socket.setEncoding('utf8').on('data', (text) => (seen.text += String(text)));
  socket.on('error', () => (seen.ended = 'error')).on('end', () => (seen.ended ??= 'end'));
  await once(socket, 'connect').catch(() => undefined);
  return { socket, seen };
}

const echoed = ({ seen }: Client, text: string) => waitUntil(() => seen.text === text, { what: `the echo of ${text}` });
const ended = ({ seen }: Client) => waitUntil(() => seen.ended, { what: 'the end of the connection' });
/** Long enough for bytes on the loopback that should not come. */
const pause = () => new Promise((resolve) => setTimeout(resolve, 50));

describe('a cutting proxy', () => {
  it('passes bytes both ways, and the end of either side', async () => {
    const one = await client();
    one.socket.end('hello');
    await echoed(one, 'hello');
    expect(await ended(one)).toBe('end');
    await waitUntil(() => proxy.connections === 0);
  });

  it('resets what is open and what comes while it cuts, and passes new connections after it', async () => {
    const before = await client();
    before.socket.write('a');
    await echoed(before, 'a');
    proxy.set('cut');
    expect(await ended(before)).toBe('error');
    expect(await ended(await client())).toBe('error');
    await waitUntil(() => served[0]?.destroyed);
    proxy.set('pass');
    const after = await client();
    after.socket.write('b');
    await echoed(after, 'b');
  });

  it('holds bytes back while it hangs, also of connections made then, and delivers them after it', async () => {
    const before = await client();
    before.socket.write('a');
    await echoed(before, 'a');
    proxy.set('hang');
    const during = await client();
    before.socket.write('b');
    during.socket.write('c');
    await pause();
    expect([before.seen, during.seen]).toEqual([
      { text: 'a', ended: null },
      { text: '', ended: null },
    ]);
    proxy.set('pass');
    await echoed(before, 'ab');
    await echoed(during, 'c');
  });

  it('leaves the client of a half-open connection in the dark, for good', async () => {
    const before = await client();
    before.socket.write('a');
    await echoed(before, 'a');
    proxy.set('half-open');
    await waitUntil(() => served[0]?.destroyed);
    const during = await client();
    before.socket.write('b');
    during.socket.write('c');
    await pause();
    proxy.set('pass');
    await pause();
    expect([before.seen, during.seen]).toEqual([
      { text: 'a', ended: null },
      { text: '', ended: null },
    ]);
    expect(served).toHaveLength(1);
  });

  it('resets its client when the target resets or is not there', async () => {
    const one = await client();
    one.socket.write('a');
    await echoed(one, 'a');
    served[0]?.resetAndDestroy();
    expect(await ended(one)).toBe('error');
    target.close();
    await once(target, 'close');
    expect(await ended(await client())).toBe('error');
  });
});
