import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { randomBytes } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { PrivateGlance, waitUntil } from '@novella/testing';
import type { Program } from '../apps/program.js';
import { Stack } from '../apps/stack.js';
import { User } from '../apps/user.js';
import { GlanceGate } from './glance-gate.js';

// nova-api, two conductors and a compute as processes, and OpenStack's own Glance; guests are in memory.
const LONG = 240_000;
const PROJECT = 'd'.repeat(32);
const OWNER = `admin:${PROJECT}`;
const DATA = randomBytes(1_000_000);

let stack: Stack;
let glance: PrivateGlance;
let gate: GlanceGate;
let conductors: Record<string, Program>;
let user: User;

beforeAll(async () => {
  [stack, glance] = await Promise.all([Stack.start(), PrivateGlance.start()]);
  gate = await GlanceGate.before(glance.url);
  await stack.prepare();
  const env = { NOVELLA_GLANCE_ENDPOINT: gate.url };
  const api = stack.api(env);
  conductors = Object.fromEntries(['one', 'two'].map((name) => [name, startConductor(name)]));
  const compute = stack.compute('host-1');
  for (const program of [api, compute, ...Object.values(conductors)]) await program.says('serving');
  user = new User(stack);
  await user.untilService('nova-compute', 'host-1', 'up');
}, LONG);
afterAll(async () => {
  await stack.close();
  await gate.close();
  await glance.stop();
}, LONG);

const startConductor = (name: string): Program =>
  stack.conductor(name, { NOVELLA_GLANCE_ENDPOINT: gate.url, NOVELLA_IMAGE_SERVER_PORT: '0' });
const cached = () => readdir(join(stack.dir.path, 'state-host-1', 'image-cache'));
const instanceFolder = (server: string) => join(stack.dir.path, 'state-host-1', 'instances', server);

interface Server {
  readonly status: string;
  readonly fault?: { readonly message: string; readonly details?: string };
}
async function create(imageRef: string): Promise<{ status: number; id: string }> {
  const server = { name: 'vm', flavorRef: '1', imageRef, networks: 'none' };
  const { status, json } = await user.ask('POST', '/servers', { server });
  return { status, id: json.server?.id ?? '' };
}
async function show(id: string): Promise<Server> {
  return (await user.ask('GET', `/servers/${id}`)).json.server as unknown as Server;
}
async function actionMessage(id: string): Promise<string | null> {
  const path = `/servers/${id}/os-instance-actions`;
  const listed = (await user.ask('GET', path)).json['instanceActions'] as {
    request_id: string;
    message: string | null;
  }[];
  return listed[0]?.message ?? null;
}
/** A conductor has said that it gives data to the host. */
const serving = () => Object.values(conductors).find(({ log }) => log.some(({ msg }) => msg === 'an image is served'));

describe('a server from an image of Glance', () => {
  it(
    'has the disk, kernel and ramdisk that the image names, on a host that knows no Glance',
    async () => {
      const kernel = await glance.upload(OWNER, { disk_format: 'aki', container_format: 'aki' }, Buffer.from('kernel'));
      const ramdisk = await glance.upload(OWNER, { disk_format: 'ari', container_format: 'ari' }, Buffer.from('disk'));
      const parts = { disk_format: 'ami', container_format: 'ami', kernel_id: kernel, ramdisk_id: ramdisk };
      const { id } = await create(await glance.upload(OWNER, parts, DATA));
      await user.untilActive(id);
      const folder = instanceFolder(id);
      expect((await readFile(join(folder, 'disk'))).subarray(0, DATA.length).equals(DATA)).toBe(true);
      expect(await readFile(join(folder, 'kernel'), 'utf8')).toBe('kernel');
      expect(await readFile(join(folder, 'ramdisk'), 'utf8')).toBe('disk');
      await user.deleteServer(id);
      expect(await cached()).toHaveLength(3);
    },
    LONG,
  );

  it(
    'is built although the conductor that serves its image dies in the middle',
    async () => {
      const image = await glance.upload(OWNER, {}, randomBytes(1_000_000));
      for (const { log } of Object.values(conductors)) log.length = 0;
      gate.mode = 'hold';
      const before = gate.given;
      const { id } = await create(image);
      await waitUntil(() => gate.given > before && serving() !== undefined);
      await waitUntil(async () => (await cached()).some((name) => name.endsWith('.partial')));
      gate.mode = 'pass';
      await serving()?.signal('SIGKILL');
      await user.untilActive(id);
      expect((await cached()).filter((name) => name.endsWith('.partial'))).toEqual([]);
      await user.deleteServer(id);
      for (const name of Object.keys(conductors)) {
        if (conductors[name]?.isRunning === false) conductors[name] = startConductor(name);
      }
    },
    LONG,
  );

  it(
    'waits while Glance does not give it, says so, and is built when it does',
    async () => {
      const image = await glance.upload(OWNER, {}, randomBytes(10_000));
      gate.mode = 'refuse';
      const { id } = await create(image);
      await waitUntil(async () => (await actionMessage(id))?.includes('image-service-unreachable'));
      gate.mode = 'pass';
      await user.untilActive(id);
      await user.deleteServer(id);
    },
    LONG,
  );

  it(
    'ends in error, with nothing left on the host, when the data is never the image',
    async () => {
      const image = await glance.upload(OWNER, {}, randomBytes(20_000));
      const before = await cached();
      gate.mode = 'damage';
      const { id } = await create(image);
      const ended = await waitUntil(
        async () => {
          const server = await show(id);
          return server.status !== 'BUILD' && server;
        },
        { timeout: LONG, every: 50 },
      );
      gate.mode = 'pass';
      expect(ended).toMatchObject({
        status: 'ERROR',
        fault: { details: expect.stringMatching(/^image-data-wrong/) as unknown },
      });
      expect(await actionMessage(id)).toContain('image-data-wrong');
      expect(await cached()).toEqual(before);
      await expect(readdir(instanceFolder(id))).rejects.toMatchObject({ code: 'ENOENT' });
      await user.deleteServer(id);
    },
    LONG,
  );

  it(
    'is refused for an image that is not there or not active, and unknown while Glance is away',
    async () => {
      expect((await create('00000000-0000-4000-8000-000000000000')).status).toBe(400);
      const queued = await glance.upload(OWNER, {}, null);
      expect((await create(queued)).status).toBe(400);
      await glance.kill();
      expect((await create(queued)).status).toBe(503);
      await glance.resume();
      expect((await create(queued)).status).toBe(400);
    },
    LONG,
  );
});
