import 'reflect-metadata';
import { chmod, mkdir, mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { bytes, type ServerId, type VolumeId } from '@novella/core';
import { createLog } from '@novella/service-kit';
import { GuestConsole, guestImages, startPrivateLibvirtd } from '@novella/testing';
import { LibvirtDriver } from '@novella/virt';
import { startCinderDev } from '../../../cinder-dev/src/start-cinder-dev.js';
import { until, watchGrowth } from './growth.js';
import { inGib, Narrator } from './narrator.js';
import { OpenStack } from './openstack.js';
import { startStandaloneProcess } from './standalone-process.js';

/**
 * The main job, shown: a volume grows while a real guest uses it. Everything is real but the block storage service,
 * which keeps its volumes as sparse files. Exit code 0 only if the guest's own kernel reported each final size.
 */
const LIMIT = AbortSignal.timeout(300_000);
const FLAVOR = '84';

type Undo = () => Promise<unknown>;

async function demo(narrator: Narrator, undo: Undo[]): Promise<void> {
  const dir = await mkdtemp(join(tmpdir(), 'novella-demo-'));
  undo.push(() => rm(dir, { recursive: true, force: true }));
  await chmod(dir, 0o755);
  narrator.say(
    'demo',
    'a real guest under QEMU and libvirt, Nova API by Novella, volumes as sparse files; no simulation',
  );

  const [images, libvirtd] = await Promise.all([guestImages(), startPrivateLibvirtd()]);
  undo.push(() => libvirtd.stop());
  const novaPort = await freePort();
  const volumesDir = join(dir, 'cinder');
  await mkdir(volumesDir);
  const cinder = await startCinderDev({
    port: 0,
    dataDir: volumesDir,
    novaEndpoint: `http://127.0.0.1:${novaPort}/v2.1`,
    novaHeaders: { 'X-Auth-Token': 'admin:service' },
    log: createLog({ name: 'cinder-dev', level: 'silent' }),
  });
  undo.push(() => cinder.close());
  const standalone = await startStandaloneProcess({
    NOVELLA_STATE_DIR: join(dir, 'novella'),
    NOVELLA_API_PORT: String(novaPort),
    NOVELLA_AUTH_STRATEGY: 'noauth2',
    NOVELLA_CINDER_ENDPOINT: cinder.url,
    NOVELLA_IMAGES_DIR: images.imagesDir,
    NOVELLA_VOLUME_ROOTS: volumesDir,
    NOVELLA_HOST: 'demo',
    NOVELLA_LIBVIRT_SOCKET: libvirtd.socketPath,
    NOVELLA_LIBVIRT_DOMAIN_TYPE: 'qemu',
  });
  undo.push(() => standalone.stop());
  narrator.say('nova', `serves at ${standalone.apiUrl}, ${(standalone.startedIn / 1000).toFixed(1)} s after its start`);

  const hypervisor = await LibvirtDriver.open({ socketPath: libvirtd.socketPath, domainType: 'qemu' });
  undo.push(() => hypervisor.close());
  const openstack = new OpenStack(standalone.apiUrl, cinder.url);
  const server = await bootServer(openstack, images.imageId, narrator, undo);
  const guest = new GuestConsole(join(dir, 'novella', 'compute', 'instances', server, 'console.log'));
  await guest.ready();
  narrator.say('guest', 'booted');

  const volume = await openstack.createVolume('data', 1);
  undo.push(() => openstack.deleteVolume(volume));
  await until(10, LIMIT, async () => (await openstack.volume(volume)).status === 'available');
  narrator.say('cinder', `volume ${volume} is available and has 1 GiB`);
  await openstack.attachVolume(server, volume);
  const attached = await guest.waitForSize(volume, bytes(2 ** 30));
  narrator.say('guest', `kernel: [${attached.name}] ${inGib(attached.size)}`);
  await until(10, LIMIT, async () => (await openstack.volume(volume)).status === 'in-use');
  undo.push(() => deleteServer(openstack, server, narrator));

  const path = await sourcePath(hypervisor, server, volume);
  const watch = (sizeGib: number) => ({
    volume,
    path,
    wanted: sizeGib * 2 ** 30,
    openstack,
    hypervisorBytes: async () => {
      const disks = (await hypervisor.guest(server as ServerId))?.disks ?? [];
      return disks.find((disk) => disk.volume === (volume as VolumeId))?.guestBytes ?? 0;
    },
    guestSays: async (size: number) => {
      const seen = await guest.waitForSize(volume, bytes(size));
      return `kernel: [${seen.name}] new size: ${seen.size / 512} 512-byte sectors (${inGib(seen.size)})`;
    },
    narrator,
  });

  narrator.say('demo', 'POST os-extend: 1 GiB -> 2 GiB');
  const growing = watchGrowth(watch(2), LIMIT);
  expectStatus(await openstack.extendVolume(volume, 2), [202]);
  sayGrown(narrator, 2, await growing);

  narrator.say('demo', 'POST os-extend twice at once: 2 GiB -> 3 GiB');
  const again = watchGrowth(watch(3), LIMIT);
  const answers = await Promise.all([openstack.extendVolume(volume, 3), openstack.extendVolume(volume, 3)]);
  narrator.say('cinder', `answered ${answers.join(' and ')}: a volume that grows already is not taken twice`);
  expectStatus(Math.min(...answers), [202]);
  sayGrown(narrator, 3, await again);
  await sayActions(openstack, server, narrator);
}

async function bootServer(openstack: OpenStack, image: string, narrator: Narrator, undo: Undo[]): Promise<string> {
  const server = await openstack.createServer('demo', image, FLAVOR);
  const remove = () => deleteServer(openstack, server, narrator);
  undo.push(remove);
  await until(50, LIMIT, async () => {
    const { status, fault } = await openstack.server(server);
    if (status === 'ERROR') throw new Error(`the server was not built: ${fault?.message ?? 'no reason given'}`);
    return status === 'ACTIVE';
  });
  narrator.say('nova', `server ${server} is ACTIVE`);
  return server;
}

async function deleteServer(openstack: OpenStack, server: string, narrator: Narrator): Promise<void> {
  if (!(await openstack.hasServer(server))) return;
  await openstack.deleteServer(server);
  await until(50, AbortSignal.timeout(60_000), async () => !(await openstack.hasServer(server)));
  narrator.say('nova', `server ${server} is gone`);
}

async function sourcePath(hypervisor: LibvirtDriver, server: string, volume: string): Promise<string> {
  const guest = await hypervisor.guest(server as ServerId);
  const disk = guest?.disks.find((one) => one.volume === (volume as VolumeId));
  if (disk === undefined) throw new Error('the hypervisor has no disk of the volume');
  return disk.path;
}

const sayGrown = (narrator: Narrator, size: number, ms: number) =>
  narrator.say('demo', `the guest sees ${size} GiB, ${ms.toFixed(0)} ms after Cinder said so`);

async function sayActions(openstack: OpenStack, server: string, narrator: Narrator): Promise<void> {
  for (const { action, request_id } of (await openstack.actions(server)).reverse()) {
    if (action !== 'extend_volume') continue;
    const finished = async () =>
      (await openstack.actionEvents(server, request_id)).every(({ result }) => result !== null);
    await until(20, LIMIT, finished);
    const [event] = await openstack.actionEvents(server, request_id);
    narrator.say('nova', `instance action ${action} (${request_id}): ${event?.result ?? 'no event'}`);
    if (event?.result !== 'Success') throw new Error('an extend did not end well');
  }
}

function expectStatus(status: number, wanted: readonly number[]): void {
  if (!wanted.includes(status)) throw new Error(`Cinder answered ${status}, not ${wanted.join(' or ')}`);
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === 'string') throw new Error('no free port');
  return address.port;
}

const narrator = new Narrator((line) => process.stdout.write(line));
const undo: Undo[] = [];
try {
  await demo(narrator, undo);
  process.exitCode = 0;
} catch (error) {
  process.stderr.write(`${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
  process.exitCode = 1;
}
for (const step of undo.reverse()) {
  await step().catch((error: unknown) => {
    process.stderr.write(`clean-up: ${String(error)}\n`);
    process.exitCode = 1;
  });
}
narrator.say('demo', process.exitCode === 0 ? 'done; nothing is left running' : 'failed');
