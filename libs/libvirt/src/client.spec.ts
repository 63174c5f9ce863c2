import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { LibvirtClient, type LibvirtClientOptions } from './client.js';
import type { DomainEvents } from './events.js';
import type { Frame } from './frame.js';
import {
  eventPacket,
  keepalivePacket,
  lifecyclePacket,
  type PeerLink,
  replyPacket,
  ScriptedPeer,
} from './scripted-peer.js';

const PING = 1;
const PONG = 2;
const UUID = '5e50e500-0000-4000-8000-000000000001';
const LIMIT_MS = 20_000;
const unreachable = { code: 'hypervisor-unreachable' };

let peer: ScriptedPeer;
const clients: LibvirtClient[] = [];

beforeEach(async () => {
  peer = await ScriptedPeer.listen();
});
afterEach(async () => {
  for (const client of clients.splice(0)) await client.close();
  await peer.close();
});

function newClient(options: Partial<LibvirtClientOptions> = {}): LibvirtClient {
  const client = new LibvirtClient({
    socketPath: peer.socketPath,
    firstBackoffMs: 5,
    largestBackoffMs: 20,
    ...options,
  });
  clients.push(client);
  return client;
}

async function until(seen: () => boolean): Promise<void> {
  const deadline = performance.now() + LIMIT_MS;
  while (!seen()) {
    if (performance.now() > deadline) throw new Error('it did not happen');
    await sleep(2);
  }
}

const hostname = (client: LibvirtClient): Promise<{ hostname: string }> => client.call('connectGetHostname', undefined);
const answerHostname = (call: Frame, link: PeerLink): void => link.reply(call, 'connectGetHostname', { hostname: 'h' });

/** Collects calls and lets the test answer them. */
function heldCalls(): { readonly call: Frame; readonly link: PeerLink }[] {
  const held: { call: Frame; link: PeerLink }[] = [];
  peer.onCall = (call, link) => void held.push({ call, link });
  return held;
}

describe('opening a session', () => {
  it('asks for events and keepalive before the first call is answered', async () => {
    peer.onCall = answerHostname;
    expect(await hostname(newClient())).toEqual({ hostname: 'h' });
    expect(peer.received.map(({ procedure }) => procedure)).toEqual([66, 1, 60, 316, 316, 316, 59]);
  });

  it('is one for all who call at the same time', async () => {
    peer.onCall = answerHostname;
    const client = newClient();
    await Promise.all([hostname(client), hostname(client), client.connect()]);
    expect(peer.connections).toBe(1);
  });

  it('completes polkit where libvirtd wants it', async () => {
    peer.authTypes = [2];
    peer.onCall = (call, link) =>
      call.procedure === 70 ? link.reply(call, 'authPolkit', { complete: 1 }) : answerHostname(call, link);
    expect(await hostname(newClient())).toEqual({ hostname: 'h' });
  });

  it('fails where only SASL is offered', async () => {
    peer.authTypes = [1];
    await expect(newClient().connect()).rejects.toMatchObject(unreachable);
  });

  it('fails where nobody listens, and stands as soon as somebody does', async () => {
    await peer.stopListening();
    const client = newClient();
    await expect(client.connect()).rejects.toMatchObject(unreachable);
    await peer.listenAgain();
    await until(() => peer.connections === 1);
    peer.onCall = answerHostname;
    expect(await hostname(client)).toEqual({ hostname: 'h' });
  });
});

describe('a call', () => {
  it('gets its own reply when replies come in another order', async () => {
    const held = heldCalls();
    const client = newClient();
    const [host, type] = [hostname(client), client.call('connectGetType', undefined)];
    await until(() => held.length === 2);
    const [first, second] = held;
    second?.link.reply(second.call, 'connectGetType', { type: 'QEMU' });
    first?.link.reply(first.call, 'connectGetHostname', { hostname: 'h' });
    expect(await Promise.all([host, type])).toEqual([{ hostname: 'h' }, { type: 'QEMU' }]);
  });

  it('reads a reply that comes byte by byte', async () => {
    peer.onCall = (call, link) => {
      for (const byte of replyPacket(call, 'connectGetHostname', { hostname: 'h' })) link.socket.write(Buffer.of(byte));
    };
    expect(await hostname(newClient())).toEqual({ hostname: 'h' });
  });

  it("rejects with libvirt's own error, and the link stays", async () => {
    const client = newClient();
    peer.onCall = (call, link) => link.refuse(call, 42, 'Domain not found');
    await expect(client.call('domainLookupByName', { name: 'x' })).rejects.toMatchObject({
      name: 'LibvirtError',
      code: 42,
      domain: 10,
      message: 'Domain not found',
      procedure: 'domainLookupByName',
    });
    peer.onCall = answerHostname;
    await hostname(client);
    expect(peer.connections).toBe(1);
  });

  it('waits while four are under way, and goes out when one of them is answered', async () => {
    const held = heldCalls();
    const client = newClient();
    const calls = Array.from({ length: 6 }, () => hostname(client));
    await until(() => held.length === 4);
    await sleep(20);
    expect(held).toHaveLength(4);
    for (let answered = 0; answered < 6; answered += 1) {
      await until(() => held.length > answered);
      const next = held[answered];
      if (next) answerHostname(next.call, next.link);
    }
    expect(await Promise.all(calls)).toHaveLength(6);
  });

  it('ends at its time limit, and the late reply harms nobody', async () => {
    const held = heldCalls();
    const client = newClient({ callTimeoutMs: 50 });
    await expect(hostname(client)).rejects.toMatchObject(unreachable);
    const type = client.call('connectGetType', undefined);
    await until(() => held.length === 2);
    held.forEach(({ call, link }, index) =>
      index === 0 ? answerHostname(call, link) : link.reply(call, 'connectGetType', { type: 'QEMU' }),
    );
    expect(await type).toEqual({ type: 'QEMU' });
    expect(peer.connections).toBe(1);
  });

  it('gets a new connection when every place is held by a call that was never answered', async () => {
    const client = newClient({ callTimeoutMs: 50 });
    const ends = await Promise.allSettled(Array.from({ length: 4 }, () => hostname(client)));
    expect(ends.map(({ status }) => status)).toEqual(['rejected', 'rejected', 'rejected', 'rejected']);
    peer.onCall = answerHostname;
    expect(await hostname(client)).toEqual({ hostname: 'h' });
    expect(peer.connections).toBe(2);
  });

  it('rejects, sent or waiting, when the link drops, and is not sent again', async () => {
    const held = heldCalls();
    const client = newClient();
    const calls = Promise.allSettled(Array.from({ length: 6 }, () => hostname(client)));
    await until(() => held.length === 4);
    peer.dropConnections();
    const ends = await calls;
    expect(ends.map((end) => (end.status === 'rejected' ? (end.reason as { code: string }).code : end.status))).toEqual(
      Array.from({ length: 6 }, () => 'hypervisor-unreachable'),
    );
    await until(() => peer.connections === 2 && peer.count('connectDomainEventCallbackRegisterAny') === 6);
    expect(peer.count('connectGetHostname')).toBe(4);
  });

  it('rejects after the client was closed', async () => {
    const client = newClient();
    await client.connect();
    await client.close();
    await expect(hostname(client)).rejects.toMatchObject(unreachable);
    expect(peer.count('connectClose')).toBe(1);
  });
});

describe('what cannot be read', () => {
  it.each<[string, (call: Frame) => Buffer]>([
    ['a packet that says it has 2 GiB', () => Buffer.from('7fffffff', 'hex')],
    ['a packet shorter than a header', () => Buffer.from('00000004', 'hex')],
    ['text', () => Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n')],
    ['a reply to nobody', (call) => replyPacket({ ...call, serial: 999 }, 'connectGetHostname', { hostname: 'h' })],
    ['a reply of another form', (call) => replyPacket(call, 'connectSupportsFeature', { supported: 1_000_000 })],
    [
      'a packet of another program',
      (call) => replyPacket({ ...call, program: 5 }, 'connectGetHostname', { hostname: 'h' }),
    ],
    ['an event that ends too early', () => eventPacket(318, Buffer.alloc(8))],
  ])('ends the connection: %s', async (_what, bytes) => {
    const client = newClient();
    const dropped: string[] = [];
    client.onDisconnected((error) => void dropped.push(error.code));
    peer.onCall = (call, link) => void link.socket.write(bytes(call));
    await expect(hostname(client)).rejects.toMatchObject(unreachable);
    expect(dropped).toEqual(['hypervisor-unreachable']);
    peer.onCall = answerHostname;
    expect(await hostname(client)).toEqual({ hostname: 'h' });
  });
});

describe('events', () => {
  it('arrive between the pieces of two replies', async () => {
    const client = newClient();
    const seen: DomainEvents['lifecycle'][] = [];
    client.on('lifecycle', (event) => void seen.push(event));
    peer.onCall = (call, link) =>
      link.socket.write(
        Buffer.concat([
          lifecyclePacket(UUID, 2),
          replyPacket(call, 'connectGetHostname', { hostname: 'h' }),
          lifecyclePacket(UUID, 5),
        ]),
      );
    await hostname(client);
    await until(() => seen.length === 2);
    expect(seen.map(({ domain, event }) => [domain.uuid, event])).toEqual([
      [UUID, 2],
      [UUID, 5],
    ]);
  });

  it('of a kind that was not asked for are passed over', async () => {
    const client = newClient();
    peer.onCall = (call, link) => {
      link.socket.write(eventPacket(9_999, Buffer.alloc(12)));
      answerHostname(call, link);
    };
    expect(await hostname(client)).toEqual({ hostname: 'h' });
  });

  it('come no more to a listener that was taken away', async () => {
    const client = newClient();
    const [stays, goes]: [number[], number[]] = [[], []];
    client.on('lifecycle', ({ event }) => void stays.push(event));
    const stop = client.on('lifecycle', ({ event }) => void goes.push(event));
    await client.connect();
    stop();
    peer.send(lifecyclePacket(UUID, 2));
    await until(() => stays.length === 1);
    expect(goes).toEqual([]);
  });
});

describe('a link that drops', () => {
  it('comes back by itself, asks for the events again and says so', async () => {
    const client = newClient();
    let [reconnected, events] = [0, 0];
    client.onReconnected(() => (reconnected += 1));
    client.on('lifecycle', () => (events += 1));
    await client.connect();
    expect(reconnected).toBe(0);
    peer.dropConnections();
    await until(() => reconnected === 1);
    peer.send(lifecyclePacket(UUID, 2));
    await until(() => events === 1);
    expect(peer.count('connectDomainEventCallbackRegisterAny')).toBe(6);
  });

  it('is tried again until somebody listens', async () => {
    const client = newClient();
    let reconnected = 0;
    client.onReconnected(() => (reconnected += 1));
    await client.connect();
    await peer.stopListening();
    await sleep(60);
    await peer.listenAgain();
    await until(() => reconnected === 1);
    expect(peer.connections).toBe(2);
  });

  it('is not tried again after the client was closed', async () => {
    const client = newClient();
    await client.connect();
    await client.close();
    await sleep(60);
    expect(peer.connections).toBe(1);
  });
});

describe('keepalive', () => {
  it('answers a ping', async () => {
    await newClient().connect();
    peer.send(keepalivePacket(PING));
    await until(() => peer.keepalives(PONG) === 1);
    expect(peer.keepalives(PONG)).toBe(1);
  });

  it('ends a connection whose pings are not answered', async () => {
    const client = newClient({ keepaliveIntervalMs: 10, keepaliveMissed: 3 });
    let disconnected = 0;
    client.onDisconnected(() => (disconnected += 1));
    const waiting = hostname(client);
    await expect(waiting).rejects.toMatchObject(unreachable);
    expect(disconnected).toBe(1);
    expect(peer.keepalives(PING)).toBeGreaterThanOrEqual(3);
  });

  it('keeps a quiet connection whose pings are answered', async () => {
    const client = newClient({ keepaliveIntervalMs: 10, keepaliveMissed: 50 });
    await client.connect();
    for (let pings = 0; pings < 10; pings += 1) {
      await until(() => peer.keepalives(PING) > pings);
      peer.send(keepalivePacket(PONG));
    }
    expect(peer.connections).toBe(1);
  });

  it('does not ping a libvirtd that does not know it', async () => {
    peer.keepaliveSupported = 0;
    await newClient({ keepaliveIntervalMs: 5, keepaliveMissed: 2 }).connect();
    await sleep(60);
    expect(peer.keepalives(PING)).toBe(0);
    expect(peer.connections).toBe(1);
  });
});
