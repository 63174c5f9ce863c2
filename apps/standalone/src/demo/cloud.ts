import { chmod, mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { bytes, type ServerId, type VolumeId } from '@novella/core';
import { createLog } from '@novella/service-kit';
import { freePort, GuestConsole, guestImages, startPrivateLibvirtd } from '@novella/testing';
import { LibvirtDriver } from '@novella/virt';
import { startCinderDev } from '../../../cinder-dev/src/start-cinder-dev.js';
import { type GrowthWatch, until } from './growth.js';
import { inGib, type Narrator } from './narrator.js';
import { OpenStack } from './openstack.js';
import { type StandaloneProcess, startStandaloneProcess } from './standalone-process.js';

export const LIMIT = AbortSignal.timeout(600_000);
/** m1.micro: one processor, 256 MiB, no local disk. */
const FLAVOR = '84';

/**
 * A private libvirtd, the development Cinder and the product as a process of its own, in a folder that goes away.
 * Whatever was started is ended by `close`, the last first, also when starting failed half way.
 */
export class DemoCloud {
  private readonly undo: (() => Promise<unknown>)[] = [];
  private readonly parts: {
    readonly dir: string;
    readonly imageId: string;
    readonly openstack: OpenStack;
    readonly hypervisor: LibvirtDriver;
    readonly standalone: StandaloneProcess;
  }[] = [];

  constructor(private readonly narrator: Narrator) {}

  async start(): Promise<void> {
    const dir = await mkdtemp(join(tmpdir(), 'novella-demo-'));
    this.undo.push(() => rm(dir, { recursive: true, force: true }));
    await chmod(dir, 0o755);
    const [images, libvirtd] = await Promise.all([guestImages(), startPrivateLibvirtd()]);
    this.undo.push(() => libvirtd.stop());
    const volumesDir = join(dir, 'cinder');
    await mkdir(volumesDir);
    const novaPort = await freePort();
    const cinder = await startCinderDev({
      port: 0,
      dataDir: volumesDir,
      novaEndpoint: `http://127.0.0.1:${novaPort}/v2.1`,
      novaHeaders: { 'X-Auth-Token': 'admin:service' },
      log: createLog({ name: 'cinder-dev', level: 'silent' }),
    });
    this.undo.push(() => cinder.close());
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
    this.undo.push(() => standalone.stop());
    const hypervisor = await LibvirtDriver.open({ socketPath: libvirtd.socketPath, domainType: 'qemu' });
    this.undo.push(() => hypervisor.close());
    const openstack = new OpenStack(standalone.apiUrl, cinder.url);
    this.parts.push({ dir, imageId: images.imageId, openstack, hypervisor, standalone });
  }

  get openstack(): OpenStack {
    return this.started.openstack;
  }

  get standalone(): StandaloneProcess {
    return this.started.standalone;
  }

  /** A server whose guest has booted. */
  async bootServer(): Promise<DemoServer> {
    const { openstack, imageId, dir } = this.started;
    const id = await openstack.createServer('demo', imageId, FLAVOR);
    this.undo.push(() => this.deleteServer(id));
    await until(50, LIMIT, async () => {
      const { status, fault } = await openstack.server(id);
      if (status === 'ERROR') throw new Error(`the server was not built: ${fault?.message ?? 'no reason given'}`);
      return status === 'ACTIVE';
    });
    this.narrator.say('nova', `server ${id} is ACTIVE`);
    const guest = new GuestConsole(join(dir, 'novella', 'compute', 'instances', id, 'console.log'));
    await guest.ready();
    this.narrator.say('guest', 'booted');
    return { id, guest };
  }

  /** A volume of 1 GiB that the guest sees as a disk; it goes when the server has gone. */
  async attachVolume({ id, guest }: DemoServer): Promise<string> {
    const { openstack } = this.started;
    const volume = await openstack.createVolume('data', 1);
    await until(10, LIMIT, async () => (await openstack.volume(volume)).status === 'available');
    this.narrator.say('cinder', `volume ${volume} is available and has 1 GiB`);
    await openstack.attachVolume(id, volume);
    const seen = await guest.waitForSize(volume, bytes(2 ** 30));
    this.narrator.say('guest', `kernel: [${seen.name}] ${inGib(seen.size)}`);
    await until(10, LIMIT, async () => (await openstack.volume(volume)).status === 'in-use');
    return volume;
  }

  async growthWatch({ id, guest }: DemoServer, volume: string, sizeGib: number): Promise<GrowthWatch> {
    const { openstack, hypervisor } = this.started;
    const disk = async () => {
      const disks = (await hypervisor.guest(id as ServerId))?.disks ?? [];
      return disks.find((one) => one.volume === (volume as VolumeId));
    };
    return {
      volume,
      path: (await disk())?.path ?? '',
      wanted: sizeGib * 2 ** 30,
      openstack,
      hypervisorBytes: async () => (await disk())?.guestBytes ?? 0,
      guestSays: async (size) => {
        const seen = await guest.waitForSize(volume, bytes(size));
        return `kernel: [${seen.name}] new size: ${seen.size / 512} 512-byte sectors (${inGib(seen.size)})`;
      },
      narrator: this.narrator,
    };
  }

  /** Answers whether everything ended well. */
  async close(): Promise<boolean> {
    let well = true;
    for (const step of this.undo.splice(0).reverse()) {
      await step().catch((error: unknown) => {
        this.narrator.say('demo', `clean-up: ${String(error)}`);
        well = false;
      });
    }
    return well;
  }

  private get started() {
    const [parts] = this.parts;
    if (parts === undefined) throw new Error('the cloud was not started');
    return parts;
  }

  private async deleteServer(id: string): Promise<void> {
    const { openstack } = this.started;
    await openstack.deleteServer(id);
    await until(50, AbortSignal.timeout(60_000), async () => !(await openstack.hasServer(id)));
    this.narrator.say('nova', `server ${id} is gone`);
  }
}

export interface DemoServer {
  readonly id: string;
  readonly guest: GuestConsole;
}
