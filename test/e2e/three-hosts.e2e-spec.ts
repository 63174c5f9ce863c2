import { execFile } from 'node:child_process';
import { chmod } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type Bytes, gib, gibToBytes } from '@novella/core';
import { GuestConsole, temporaryDirectory, type TemporaryDirectory, waitUntil } from '@novella/testing';
import { OpenStack } from '../../apps/standalone/src/demo/openstack.js';
import { ClusterProcess, settingsOf } from '../cluster/cluster-process.js';

/**
 * The services apart, as the dev cluster runs them: RabbitMQ, Postgres, nova-api, two conductors and three computes, each
 * a process of its own, each compute with a libvirtd of its own and a real guest. What is asked is asked over HTTP, and
 * what counts is what the guests' kernels say.
 */
const FLAVOR = '84';
const BOOT_MS = 240_000;
const LOADER = join(import.meta.dirname, '..', 'bad-input', 'typescript.mjs');
const MANAGE = join(import.meta.dirname, '..', '..', 'apps', 'manage', 'src', 'main.ts');

interface Server {
  readonly id: string;
  readonly host: string;
  readonly guest: GuestConsole;
}

const size = (count: number): Bytes => gibToBytes(gib(count));

describe('three hosts over RabbitMQ', () => {
  let dir: TemporaryDirectory;
  let state: string;
  let cluster: ClusterProcess;
  let openstack: OpenStack;
  let servers: Server[];

  const start = async (): Promise<void> => {
    cluster = new ClusterProcess('--state', state, '--computes', '3', '--port', '0');
    await cluster.up();
    const { NOVA = '', NOVELLA_CINDER_ENDPOINT = '' } = await settingsOf(state);
    openstack = new OpenStack(NOVA, NOVELLA_CINDER_ENDPOINT);
  };

  beforeAll(async () => {
    dir = await temporaryDirectory();
    // Postgres runs as another user, and must come through.
    await chmod(dir.path, 0o755);
    state = join(dir.path, 'c');
    await start();
    const { IMAGE = '' } = await settingsOf(state);
    const ids: string[] = [];
    // One after the other: each goes to the host with the most room, and two at once may find the same.
    for (const name of ['one', 'two', 'three']) {
      ids.push(await openstack.createServer(name, IMAGE, FLAVOR));
      await untilStatus(ids.at(-1) ?? '', 'ACTIVE');
    }
    servers = await Promise.all(ids.map(booted));
  }, 2 * BOOT_MS);
  afterAll(async () => {
    await cluster.end('SIGINT');
    await dir.remove();
  }, BOOT_MS);

  async function booted(id: string): Promise<Server> {
    await untilStatus(id, 'ACTIVE');
    const { host } = await openstack.serverAndHost(id);
    const guest = new GuestConsole(join(state, 'hosts', host, 'state', 'instances', id, 'console.log'));
    await guest.ready(BOOT_MS);
    return { id, host, guest };
  }

  async function untilStatus(id: string, status: string): Promise<void> {
    const look = async () => {
      const now = (await openstack.server(id)).status;
      if (now === 'ERROR' && status !== 'ERROR') throw new Error(JSON.stringify(await openstack.server(id)));
      return now === status;
    };
    await waitUntil(look, { what: `server ${id} to be ${status}`, timeout: BOOT_MS, every: 50 });
  }

  async function untilVolume(id: string, status: string, sizeGib: number): Promise<void> {
    const look = async () => {
      const volume = await openstack.volume(id);
      return volume.status === status && volume.size === sizeGib;
    };
    await waitUntil(look, { what: `volume ${id} to be ${status} with ${sizeGib} GiB`, timeout: 120_000, every: 20 });
  }

  async function volume(type?: string): Promise<string> {
    const id = await openstack.createVolume('data', 1, type);
    await untilVolume(id, 'available', 1);
    return id;
  }

  async function attach({ id, guest }: Server, data: string): Promise<void> {
    await openstack.attachVolume(id, data);
    await guest.waitForSize(data, size(1), BOOT_MS);
    await untilVolume(data, 'in-use', 1);
  }

  async function attachedVolume(server: Server, type?: string): Promise<string> {
    const data = await volume(type);
    await attach(server, data);
    return data;
  }

  async function grow(data: string, sizeGib: number): Promise<void> {
    expect(await openstack.extendVolume(data, sizeGib)).toBe(202);
  }

  /** The newest action of that name has ended, and how. */
  async function ended({ id }: Server, action: string): Promise<string | null> {
    let result: string | null = null;
    const look = async () => {
      const newest = (await openstack.actions(id)).find((each) => each.action === action);
      const events = newest === undefined ? [] : await openstack.actionEvents(id, newest.request_id);
      result = events[0]?.result ?? null;
      return result !== null;
    };
    await waitUntil(look, { what: `${action} to end`, timeout: 120_000, every: 50 });
    return result;
  }

  const first = (): Server => servers[0] as Server;
  const second = (): Server => servers[1] as Server;
  const third = (): Server => servers[2] as Server;

  it(
    'has a server on each host, and each sees its own volume grow when all grow at once',
    async () => {
      expect(servers.map(({ host }) => host).sort()).toEqual(['compute-1', 'compute-2', 'compute-3']);
      const volumes = await Promise.all(servers.map((server) => attachedVolume(server)));
      await Promise.all(volumes.map((data) => grow(data, 2)));
      await Promise.all(servers.map(({ guest }, n) => guest.waitForSize(volumes[n] ?? '', size(2))));
      expect(await Promise.all(servers.map((server) => ended(server, 'extend_volume')))).toEqual(
        servers.map(() => 'Success'),
      );
    },
    BOOT_MS,
  );

  it(
    'shows both hosts of a shared volume its new size',
    async () => {
      const data = await volume('multiattach');
      await attach(first(), data);
      await attach(second(), data);
      await grow(data, 2);
      await first().guest.waitForSize(data, size(2));
      await second().guest.waitForSize(data, size(2));
      expect([await ended(first(), 'extend_volume'), await ended(second(), 'extend_volume')]).toEqual([
        'Success',
        'Success',
      ]);
    },
    BOOT_MS,
  );

  it(
    'grows a qcow2 file that the guest has open, and Cinder hears of it',
    async () => {
      const data = await attachedVolume(first(), 'qcow2');
      await grow(data, 2);
      await first().guest.waitForSize(data, size(2));
      await untilVolume(data, 'in-use', 2);
    },
    BOOT_MS,
  );

  it("tells a user the end of a guest's console", async () => {
    expect(await openstack.consoleOutput(third().id, 40)).toContain('GUEST');
  });

  it(
    'takes a volume from a running guest, and Cinder has it back',
    async () => {
      const data = await attachedVolume(third());
      // Cinder has it in use a moment before the attach is recorded; until then a detach is refused.
      expect(await ended(third(), 'attach_volume')).toBe('Success');
      await openstack.detachVolume(third().id, data);
      await third().guest.waitForNoDisk(data);
      await untilVolume(data, 'available', 1);
      expect(await ended(third(), 'detach_volume')).toBe('Success');
    },
    BOOT_MS,
  );

  it(
    'grows a volume of a server that is off, which sees it when it starts',
    async () => {
      const raw = await attachedVolume(third());
      const qcow2 = await attachedVolume(third(), 'qcow2');
      await openstack.stop(third().id);
      await untilStatus(third().id, 'SHUTOFF');
      for (const data of [raw, qcow2]) {
        await grow(data, 2);
        await untilVolume(data, 'in-use', 2);
      }
      expect(await ended(third(), 'extend_volume')).toBe('Success');
      await openstack.start(third().id);
      await untilStatus(third().id, 'ACTIVE');
      for (const data of [raw, qcow2]) await third().guest.waitForSize(data, size(2), BOOT_MS);
    },
    2 * BOOT_MS,
  );

  it(
    'reboots a server, which has its volumes again',
    async () => {
      const data = await attachedVolume(second());
      await openstack.reboot(second().id, 'HARD');
      expect(await ended(second(), 'reboot')).toBe('Success');
      await untilStatus(second().id, 'ACTIVE');
      await second().guest.ready(BOOT_MS);
      await second().guest.waitForSize(data, size(1), BOOT_MS);
    },
    2 * BOOT_MS,
  );

  it(
    'grows a volume although the compute is killed right after it was asked for',
    async () => {
      const data = await attachedVolume(first());
      await grow(data, 2);
      process.kill(cluster.pidOf(first().host), 'SIGKILL');
      await first().guest.waitForSize(data, size(2), BOOT_MS);
      expect(await ended(first(), 'extend_volume')).toBe('Success');
    },
    BOOT_MS,
  );

  it(
    'grows a volume although both conductors are killed right after it was asked for (rule 3.1a)',
    async () => {
      const data = await attachedVolume(first());
      await grow(data, 2);
      for (const name of ['conductor-1', 'conductor-2']) process.kill(cluster.pidOf(name), 'SIGKILL');
      await first().guest.waitForSize(data, size(2), BOOT_MS);
      expect(await ended(first(), 'extend_volume')).toBe('Success');
    },
    BOOT_MS,
  );

  it(
    'reaches each host from the command line',
    async () => {
      const { NOVELLA_BROKER_URLS = '', NOVELLA_DATABASE_URL = '' } = await settingsOf(state);
      const env = { PATH: '/usr/bin:/bin', NOVELLA_BROKER_URLS, NOVELLA_DATABASE_URL };
      for (const { host } of servers) {
        const words = ['--import', LOADER, MANAGE, 'host', 'ping', host, '--json'];
        const { stdout } = await promisify(execFile)(process.execPath, words, { env });
        expect(JSON.parse(stdout)).toMatchObject({ host });
      }
    },
    BOOT_MS,
  );

  it(
    'has everything again after it was ended and started: servers are off, and see their volumes when they start',
    async () => {
      const data = await attachedVolume(second());
      expect(await cluster.end('SIGINT')).toBe(0);
      await start();
      for (const { id } of servers) await untilStatus(id, 'SHUTOFF');
      await openstack.start(second().id);
      await untilStatus(second().id, 'ACTIVE');
      await second().guest.ready(BOOT_MS);
      await second().guest.waitForSize(data, size(1), BOOT_MS);
      await grow(data, 2);
      await second().guest.waitForSize(data, size(2));
    },
    3 * BOOT_MS,
  );
});
