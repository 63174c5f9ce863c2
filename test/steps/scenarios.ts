import { truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ImageSource, ImageSources } from '@novella/contracts';
import { bytes } from '@novella/core';
import { MIB, OTHER_SERVER, SERVER, type TestHost, type TestVolume } from '../../apps/compute/src/testing/test-host.js';
import type { Command, CommandArgs } from './breakable-worker.js';

/** A host, its volumes, and a command that is about to come. */
export interface Prepared<Name extends Command = Command> {
  readonly volumes: readonly TestVolume[];
  readonly args: Omit<CommandArgs<Name>, 'token'>;
}

type Scenario<Name extends Command> = (host: TestHost) => Promise<Prepared<Name>>;

const IMAGE = '11111111-2222-4333-8444-000000000001';
const KERNEL = '11111111-2222-4333-8444-000000000002';
const RAMDISK = '11111111-2222-4333-8444-000000000003';

const buildOf = (volumes: readonly TestVolume[], imageRef: string | null, bootVolume: string | null) =>
  ({
    server: SERVER,
    domainName: 'instance-00000001',
    displayName: 'one',
    projectId: 'project',
    vcpus: 1,
    memoryMib: 64,
    rootGib: 0,
    imageRef,
    images: null,
    rootBus: 'virtio',
    bootVolume,
    volumes: [...volumes],
  }) as Prepared<'build_instance'>['args'];

/** A server that runs with one volume of 1 MiB. */
async function built(host: TestHost, format: 'raw' | 'qcow2' = 'raw'): Promise<TestVolume> {
  const volume = await host.volume(1, 1, { format });
  await host.build([volume]);
  return volume;
}

const off = (host: TestHost): Promise<void> => host.fake.setPowerState(SERVER, 'shutdown');

/** The record knows that the guest has seen the size with which it was built. */
const extendOf = ({ volume, attachment, connection, sealedSecret }: TestVolume, mib: number) => ({
  server: SERVER,
  volume,
  attachment,
  connection,
  sealedSecret,
  wantedBytes: bytes(mib * MIB),
  seenBytes: bytes(MIB),
});

type WholeServer =
  | 'start_instance'
  | 'stop_instance'
  | 'pause_instance'
  | 'unpause_instance'
  | 'suspend_instance'
  | 'resume_instance'
  | 'delete_instance';

/** A server of which the whole is meant. */
const whole =
  (prepare: (host: TestHost, volume: TestVolume) => Promise<void> | void) =>
  async (host: TestHost): Promise<Prepared<WholeServer>> => {
    const volume = await built(host);
    await prepare(host, volume);
    return { volumes: [volume], args: { server: SERVER, volumes: [volume] } };
  };

const rebooting =
  (
    type: 'soft' | 'hard',
    prepare: (host: TestHost, volume: TestVolume) => Promise<void> | void,
  ): Scenario<'reboot_instance'> =>
  async (host) => {
    const { volumes, args } = await whole(prepare)(host);
    return { volumes, args: { ...args, type, seq: 1 } };
  };

const extending =
  (
    format: 'raw' | 'qcow2',
    prepare: (host: TestHost, volume: TestVolume) => Promise<void>,
    mib = 2,
  ): Scenario<'extend_volume'> =>
  async (host) => {
    const volume = await built(host, format);
    await prepare(host, volume);
    return { volumes: [volume], args: extendOf(volume, mib) };
  };

const grownTo = ({ path }: TestVolume, mib: number): Promise<void> => truncate(path, mib * MIB);
const nothing = (): Promise<void> => Promise.resolve();

const images = (image: ImageSource): ImageSources => ({ image, kernel: null, ramdisk: null });

/** What each command may find; a new command needs one. */
export const SCENARIOS: { readonly [Name in Command]: Readonly<Record<string, Scenario<Name>>> } = {
  build_instance: {
    'from an image, with two volumes': async (host) => {
      const description = { id: IMAGE, name: 'one', disk_format: 'raw', file: 'root' };
      await writeFile(join(host.folder, 'images', `${IMAGE}.json`), JSON.stringify(description));
      await writeFile(join(host.folder, 'images/root'), 'the root disk');
      const volumes = [await host.volume(1, 1), await host.volume(2, 1)];
      return { volumes, args: buildOf(volumes, IMAGE, null) };
    },
    'from images that are fetched, in several pieces': (host) => {
      const image = host.pieces.serve(IMAGE, ['the root disk', Buffer.alloc(MIB / 16), ' and its end'], 'ami');
      const kernel = host.pieces.serve(KERNEL, ['a kernel'], 'aki');
      const ramdisk = host.pieces.serve(RAMDISK, ['a ramdisk'], 'ari');
      const args = { ...buildOf([], IMAGE, null), images: { image, kernel, ramdisk } };
      return Promise.resolve({ volumes: [], args });
    },
    'from an image that takes the place of another in the cache': async (host) => {
      await host.build([], { server: OTHER_SERVER, images: images(host.pieces.serve(KERNEL, ['another image'])) });
      await host.delete([], host.token(), OTHER_SERVER);
      return { volumes: [], args: { ...buildOf([], IMAGE, null), images: images(host.pieces.serve(IMAGE, ['one'])) } };
    },
    'from a volume': async (host) => {
      const volume = await host.volume(1, 1);
      return { volumes: [volume], args: buildOf([volume], null, volume.volume) };
    },
  },
  attach_volume: {
    'to a guest that runs': async (host) => {
      await built(host);
      const disk = await host.volume(2, 1);
      return { volumes: [disk], args: { server: SERVER, disk } };
    },
    'of an image in a Ceph cluster': async (host) => {
      await built(host);
      const disk = host.rbdVolume(2, 1);
      return { volumes: [disk], args: { server: SERVER, disk } };
    },
    'of an encrypted file': async (host) => {
      await built(host);
      const disk = await host.volume(2, 1, { encrypted: true });
      return { volumes: [disk], args: { server: SERVER, disk } };
    },
    'to a guest that is off': async (host) => {
      await built(host);
      await off(host);
      const disk = await host.volume(2, 1, { format: 'qcow2' });
      return { volumes: [disk], args: { server: SERVER, disk } };
    },
  },
  detach_volume: {
    'from a guest that runs': async (host) => {
      await built(host);
      const disk = await host.volume(2, 1);
      await host.attach(disk);
      // What the journal then knows of it is to be forgotten.
      await grownTo(disk, 2);
      await host.extend(disk, 2);
      return { volumes: [disk], args: { server: SERVER, disk } };
    },
  },
  extend_volume: {
    'of a raw file, in a guest that runs': extending('raw', (_, volume) => grownTo(volume, 2)),
    'of a raw file, in a guest that is off': extending('raw', async (host, volume) => {
      await off(host);
      await grownTo(volume, 2);
    }),
    'of a raw file that a resize of ours has cut': extending(
      'raw',
      async (host, volume) => {
        await grownTo(volume, 2);
        host.faults.beforeCut = async () => {
          host.faults.beforeCut = nothing;
          await grownTo(volume, 3);
        };
        await host.extend(volume, 2);
      },
      3,
    ),
    'of an image that a resize of ours has cut': async (host) => {
      const volume = host.rbdVolume(1, 1);
      await host.build([volume]);
      await host.setSize(volume, 2);
      host.faults.beforeCut = async () => {
        host.faults.beforeCut = nothing;
        await host.setSize(volume, 3);
      };
      await host.extend(volume, 2);
      return { volumes: [volume], args: extendOf(volume, 3) };
    },
    'of a qcow2 file, in a guest that runs': extending('qcow2', nothing),
    'of a qcow2 file, in a guest that is off': extending('qcow2', (host) => off(host)),
    'of a raw file, in a guest that goes on from its saved memory': extending('raw', async (host, volume) => {
      await host.suspend([volume]);
      await grownTo(volume, 2);
      await host.resume([volume]);
    }),
    'of a qcow2 file, in a guest that is saved': extending('qcow2', async (host, volume) => {
      await host.suspend([volume]);
    }),
  },
  start_instance: {
    'with a volume that has grown': whole(async (host, volume) => {
      await off(host);
      await grownTo(volume, 2);
    }),
  },
  stop_instance: { 'of a guest that listens': whole(nothing) },
  reboot_instance: {
    'that is soft': rebooting('soft', (_, volume) => grownTo(volume, 2)),
    'that is hard': rebooting('hard', nothing),
    'of a guest that is off': rebooting('hard', (host) => off(host)),
    'of a guest whose memory is saved, with a volume that has grown': rebooting('hard', async (host, volume) => {
      await host.suspend([volume]);
      await grownTo(volume, 2);
    }),
  },
  pause_instance: { 'of a guest that runs': whole(nothing) },
  unpause_instance: {
    'with a volume that has grown': whole(async (host, volume) => {
      await host.pause([volume]);
      await grownTo(volume, 2);
      await host.extend(volume, 2);
    }),
  },
  suspend_instance: { 'of a guest that runs': whole(nothing) },
  resume_instance: {
    'with a volume that has grown': whole(async (host, volume) => {
      await host.suspend([volume]);
      await grownTo(volume, 2);
    }),
  },
  delete_instance: {
    'after a reboot and an extend': whole(async (host, volume) => {
      await host.reboot('hard', [volume]);
      await grownTo(volume, 2);
      await host.extend(volume, 2);
    }),
  },
};
