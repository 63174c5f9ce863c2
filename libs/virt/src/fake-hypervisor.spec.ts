import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { lstat, writeFile } from 'node:fs/promises';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { bytes, type Log, millis, NovellaError, type PowerState, type ServerId, type VolumeId } from '@novella/core';
import { temporaryDirectory, type TemporaryDirectory, waitUntil } from '@novella/testing';
import type { GuestDisk, GuestSpec, VirtDriver, VolumeKey } from './driver.js';
import { FakeHypervisorClient } from './fake-client.js';
import { FakeDriver } from './fake-driver.js';
import { type FakeHypervisor, serveFakeHypervisor } from './fake-hypervisor.js';

const SERVER = '5e50e500-0000-4000-8000-000000000001' as ServerId;
const spec: GuestSpec = {
  server: SERVER,
  domainName: 'instance-00000001',
  displayName: 'one',
  projectId: 'p',
  vcpus: 1,
  memoryMib: 64,
  kernel: null,
  rootDisk: null,
  bootVolume: null,
  disks: [],
  consolePath: '/console',
};
const NO_SIGNAL = new AbortController().signal;
const AWAY = { code: 'hypervisor-unreachable' };
const KEY_MISSING = { code: 'volume-key-missing' };
/** Longer than a test may take: whoever waits it out fails. */
const LONG_GRACE = millis(3_600_000);

describe('a fake hypervisor in another process', () => {
  let dir: TemporaryDirectory;
  let socketPath: string;
  let far: FakeDriver;
  let served: FakeHypervisor | null;
  let open: VirtDriver[];
  let warned: string[];
  beforeEach(async () => {
    dir = await temporaryDirectory();
    socketPath = join(dir.path, 'socket');
    far = new FakeDriver({ deviceSize: () => Promise.resolve(bytes(200)) });
    [served, open, warned] = [null, [], []];
  });
  afterEach(async () => {
    for (const driver of open) await driver.close();
    await served?.close();
    await dir.remove();
  });

  const serve = async (): Promise<void> => {
    const nothing = (): void => undefined;
    const log: Log = { debug: nothing, info: nothing, warn: (text) => void warned.push(text), error: nothing };
    served = await serveFakeHypervisor({ socketPath, driver: far, log });
  };
  const goAway = async (): Promise<void> => {
    await served?.close();
    served = null;
  };
  const client = async (options: { callTimeoutMs?: number } = {}): Promise<VirtDriver> => {
    const driver = await FakeHypervisorClient.open({ socketPath, firstBackoffMs: 5, largestBackoffMs: 20, ...options });
    open.push(driver);
    return driver;
  };

  it('is unreachable at the start while it is away, and can be opened when it is there', async () => {
    await expect(client()).rejects.toMatchObject(AWAY);
    await serve();
    expect(await (await client()).guests()).toEqual([]);
  });

  it('keeps its guests when a client is gone', async () => {
    await serve();
    const one = await client();
    const guest = await one.createGuest(spec);
    await one.close();
    await expect(one.guests()).rejects.toMatchObject(AWAY);
    expect(await (await client()).guests()).toEqual([guest]);
  });

  it('is given the keys that open a volume with each call that opens it', async () => {
    await serve();
    const driver = await client();
    const volume = 'a1b2c400-0000-4000-8000-000000000001' as VolumeId;
    const keys: VolumeKey[] = [
      { volume, purpose: 'cephx', value: Buffer.from('of the cluster') },
      { volume, purpose: 'luks', value: Buffer.from('of the volume') },
    ];
    const auth = { username: 'cinder', secretUuid: null };
    const disk: GuestDisk = {
      volume,
      source: {
        kind: 'network',
        path: 'volumes/one',
        monitors: [{ host: '10.0.0.1', port: 6789 }],
        auth,
        discard: true,
      },
      format: 'luks',
      device: 'vdb',
      bus: 'virtio',
      shareable: false,
      readOnly: false,
    };
    await driver.createGuest({ ...spec, disks: [disk] }, keys);
    await driver.detachDisk(SERVER, volume);
    await driver.attachDisk(SERVER, disk, keys);
    await driver.suspendGuest(SERVER, NO_SIGNAL);
    await expect(driver.resumeGuest(SERVER, NO_SIGNAL, keys.slice(1))).rejects.toMatchObject(KEY_MISSING);
    expect(await driver.resumeGuest(SERVER, NO_SIGNAL, keys)).toMatchObject({ powerState: 'running' });
    await driver.stopGuest(SERVER, millis(0), NO_SIGNAL);
    await expect(driver.startGuest(SERVER)).rejects.toMatchObject(KEY_MISSING);
    expect(await driver.startGuest(SERVER, keys)).toMatchObject({ powerState: 'running' });
  });

  it('gives an error with its code, grade, facts and cause', async () => {
    await serve();
    const driver = await client();
    far.failNext(
      'guests',
      new NovellaError('guest-busy', 'prepared', { of: 3 }, { grade: 'final', cause: Error('c') }),
    );
    await expect(driver.guests()).rejects.toEqual(
      expect.objectContaining({
        code: 'guest-busy',
        grade: 'final',
        facts: { of: 3, cause: 'c' },
        message: 'prepared',
      }),
    );
  });

  it('tells several clients of each change, whoever made it', async () => {
    await serve();
    const [one, other] = [await client(), await client()];
    const told: string[] = [];
    one.onPowerState((_server, powerState) => void told.push(`one ${powerState}`));
    other.onPowerState((_server, powerState) => void told.push(`other ${powerState}`));
    await one.createGuest(spec);
    await waitUntil(() => told.length === 2, { what: 'both to be told' });
    expect(told.sort()).toEqual(['one running', 'other running']);
  });

  it('cut off in the middle of a call: the outcome is unknown, and was carried out', async () => {
    await serve();
    const driver = await client();
    const held = far.hangNext('createGuest', 'after');
    const refused = expect(driver.createGuest(spec)).rejects.toMatchObject(AWAY);
    await held.reached;
    await goAway();
    await refused;
    held.release();
    await serve();
    expect(await driver.guest(SERVER)).toMatchObject({ powerState: 'running' });
    expect(far.calls.filter(({ method }) => method === 'createGuest')).toHaveLength(1);
  });

  it('away later: unreachable, and after it each guest is told, without a call', async () => {
    await serve();
    const driver = await client();
    await driver.createGuest(spec);
    const told: [ServerId, PowerState][] = [];
    await goAway();
    await expect(driver.guests()).rejects.toMatchObject(AWAY);
    await far.setPowerState(SERVER, 'paused');
    driver.onPowerState((server, powerState) => void told.push([server, powerState]));
    await serve();
    await waitUntil(() => told.length > 0, { what: 'the guest to be told' });
    expect(told).toEqual([[SERVER, 'paused']]);
  });

  it('never tells a state after a reconnect that is older than one it has told', async () => {
    await serve();
    const driver = await client();
    await driver.createGuest(spec);
    await goAway();
    await expect(driver.guests()).rejects.toMatchObject(AWAY);
    const told: PowerState[] = [];
    driver.onPowerState((_server, powerState) => void told.push(powerState));
    // The list has been made when the guest changes, and is sent after it.
    const held = far.hangNext('guests', 'after');
    await serve();
    await held.reached;
    await far.setPowerState(SERVER, 'shutdown');
    held.release();
    await driver.hypervisor();
    await driver.hypervisor();
    expect(told).toEqual(['shutdown']);
  });

  it('gives up a stop that waits for the guest when who asked is gone: nobody cuts the power', async () => {
    await serve();
    const driver = await client();
    await driver.createGuest(spec);
    far.setDeaf(SERVER, true);
    const stopped = expect(driver.stopGuest(SERVER, millis(50), NO_SIGNAL)).rejects.toMatchObject(AWAY);
    await waitUntil(() => far.calls.some(({ method }) => method === 'stopGuest'), { what: 'the stop to come' });
    await driver.close();
    await stopped;
    const other = await client();
    const abort = new AbortController();
    const second = other.stopGuest(SERVER, LONG_GRACE, abort.signal);
    const seen = expect(second).rejects.toBe('enough');
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(await other.guest(SERVER)).toMatchObject({ powerState: 'running' });
    abort.abort('enough');
    await seen;
  });

  it('that does not answer any more is unreachable after the time limit, for every call under way', async () => {
    await serve();
    const driver = await client({ callTimeoutMs: 50 });
    const held = [far.hangNext('guests'), far.hangNext('hypervisor')];
    await Promise.all([
      expect(driver.guests()).rejects.toMatchObject(AWAY),
      expect(driver.hypervisor()).rejects.toMatchObject(AWAY),
    ]);
    for (const call of held) call.release();
    expect(await driver.guests()).toEqual([]);
  });

  it.each([
    ['no JSON', 'hello\n'],
    ['no request', '{"id": 1}\n'],
    ['a call that there is not', '{"id": 1, "call": "constructor", "args": []}\n'],
    ['wrong arguments', '{"id": 1, "call": "guest", "args": ["../etc"]}\n'],
    ['a line without an end', 'x'.repeat(17 * 2 ** 20)],
  ])('ends a connection that sends %s, and no other', async (_what, sent) => {
    await serve();
    const driver = await client();
    const socket = connect(socketPath);
    socket.on('error', () => undefined);
    socket.resume();
    socket.write(sent);
    await new Promise((resolve) => socket.once('close', resolve));
    expect(warned).toHaveLength(1);
    expect(await driver.guests()).toEqual([]);
  });

  it('takes a request that comes in pieces', async () => {
    await serve();
    const socket = connect(socketPath);
    let said = '';
    socket.on('data', (chunk: Buffer) => (said += chunk.toString()));
    for (const piece of ['{"id": 7, "call": "gue', 'sts", "args": []}\n{"cancel": 9}', '\n']) {
      socket.write(piece);
      await new Promise((resolve) => setImmediate(resolve));
    }
    await waitUntil(() => said.includes('"id":7'), { what: 'the answer' });
    expect(said.split('\n')[1]).toBe('{"id":7,"result":[]}');
    socket.destroy();
  });

  it('replaces the socket of one that was killed, but none that is served and no other file', async () => {
    const script = `require('net').createServer().listen(${JSON.stringify(socketPath)}, () => process.kill(process.pid, 9))`;
    await once(spawn(process.execPath, ['-e', script]), 'exit');
    expect((await lstat(socketPath)).isSocket()).toBe(true);
    await serve();
    expect(await (await client()).guests()).toEqual([]);
    await expect(serveFakeHypervisor({ socketPath, driver: far })).rejects.toMatchObject({ code: 'EADDRINUSE' });
    await goAway();
    await writeFile(socketPath, 'a letter');
    await expect(serve()).rejects.toMatchObject({ code: 'EADDRINUSE' });
  });
});

describe('the driver of a hypervisor that talks nonsense', () => {
  let dir: TemporaryDirectory;
  let server: Server;
  let sockets: Socket[];
  let says: string;
  let open: VirtDriver[];
  beforeEach(async () => {
    dir = await temporaryDirectory();
    [sockets, open] = [[], []];
    server = createServer((socket) => {
      sockets.push(socket);
      socket.on('error', () => undefined);
      socket.write(says);
      socket.once('data', () => socket.write(says));
    });
    server.listen(join(dir.path, 'socket'));
    await once(server, 'listening');
  });
  afterEach(async () => {
    for (const driver of open) await driver.close();
    for (const socket of sockets) socket.destroy();
    server.close();
    await dir.remove();
  });
  const client = async (callTimeoutMs = 60_000): Promise<VirtDriver> => {
    const options = { socketPath: join(dir.path, 'socket'), callTimeoutMs, firstBackoffMs: 1_000 };
    const driver = await FakeHypervisorClient.open(options);
    open.push(driver);
    return driver;
  };

  it('is not opened when it does not greet, or with other words', async () => {
    says = '';
    await expect(client(50)).rejects.toMatchObject(AWAY);
    says = '{"hello": "somebody-else"}\n';
    await expect(client()).rejects.toMatchObject(AWAY);
  });

  it.each([
    ['no JSON', '{"id":1,'],
    ['no answer', '{"id":1}'],
    ['a guest that is none', '{"id":1,"result":[{"server":"x"}]}'],
    ['an error that there is not', '{"id":1,"error":{"code":"gone","grade":"final","message":"","facts":{}}}'],
  ])('is unreachable when it is answered with %s', async (_what, answer) => {
    says = '{"hello":"novella-fake-hypervisor-2"}\n';
    const driver = await client();
    says = `${answer}\n`;
    await expect(driver.guests()).rejects.toMatchObject(AWAY);
  });
});
