import type { BuildInstance, Outcome } from '@novella/contracts';
import { NovellaError, type ServerId } from '@novella/core';
import type { GuestDisk, GuestSpec, VolumeKey } from '@novella/virt';
import { type BootImages, type BootSource, decideBootSource, fetchBootImages, readBootImages } from '../boot-source.js';
import { guestDisk, measureDisk } from '../guest-disks.js';
import type { HostIo, Step } from '../host-io.js';
import { connectVolume, disconnectVolume } from '../volume-devices.js';

/**
 * Makes a server on this host: its image fetched, root disk from it, volumes as devices, then the guest, running, with
 * every volume's sizes read back. A build that fails takes back what it has made, and nothing that was there before it.
 * Mirrors nova:nova/compute/manager.py _build_and_run_instance.
 */
export async function buildInstance(
  io: HostIo,
  command: BuildInstance,
  step: Step,
  signal: AbortSignal,
): Promise<Outcome> {
  const { server, imageRef, images } = command;
  if (images === null) return make(io, command, await readBootImages(io.images, imageRef), step);
  const fetched = await fetchBootImages({ cache: io.imageCache, files: io.files }, server, images, signal);
  try {
    return await make(io, command, fetched.images, step);
  } finally {
    fetched.release();
  }
}

async function make(io: HostIo, command: BuildInstance, images: BootImages, step: Step): Promise<Outcome> {
  const { server } = command;
  const undo: Undo[] = [];
  try {
    const boot = decideBootSource(images, command);
    const isNew = (await io.virt.guest(server)) === null;
    const mine = (name: string, run: () => Promise<void>): void => {
      if (isNew) undo.push({ name, run });
    };

    if ((await step(() => io.files.makeFolder(server))) === 'made') mine('files', () => io.files.remove(server));
    const { rootDisk } = boot;
    const rootPath = rootDisk && (await step(() => io.files.ensureRootDisk(server, rootDisk)));
    const kernel = command.images === null ? boot.kernel : await ownKernel(io, server, boot.kernel, step);
    const disks: GuestDisk[] = [];
    const keys: VolumeKey[] = [];
    for (const disk of command.volumes) {
      mine('device', () => disconnectVolume(io, server, disk));
      const connected = await step(() => connectVolume(io, disk));
      disks.push(guestDisk(disk, connected.device));
      keys.push(...connected.keys);
    }
    mine('guest', () => io.virt.destroyGuest(server));
    await step(() => io.virt.createGuest(guestSpec(io, command, { ...boot, kernel }, rootPath, disks), keys));
    return await readBack(io, command);
  } catch (error) {
    // A newer command has taken over: whatever is there now is its business.
    if (!(error instanceof NovellaError && error.code === 'command-stale')) await takeBack(io, command, undo);
    throw error;
  }
}

/** What the cache has may go; the guest needs its kernel at every start. */
async function ownKernel(
  { files }: HostIo,
  server: ServerId,
  kernel: BootSource['kernel'],
  step: Step,
): Promise<BootSource['kernel']> {
  if (kernel === null) return null;
  return {
    ...kernel,
    kernelPath: await step(() => files.ensureBootFile(server, 'kernel', kernel.kernelPath)),
    initrdPath: await step(() => files.ensureBootFile(server, 'ramdisk', kernel.initrdPath)),
  };
}

interface Undo {
  readonly name: string;
  readonly run: () => Promise<void>;
}

function guestSpec(
  io: HostIo,
  command: BuildInstance,
  boot: BootSource,
  rootPath: string | null,
  disks: readonly GuestDisk[],
): GuestSpec {
  const { server, domainName, displayName, projectId, vcpus, memoryMib, bootVolume, rootBus } = command;
  const rootDisk =
    rootPath === null || boot.rootDisk === null ? null : { path: rootPath, format: boot.rootDisk.format, bus: rootBus };
  return {
    server,
    domainName,
    displayName,
    projectId,
    vcpus,
    memoryMib,
    kernel: boot.kernel,
    rootDisk,
    bootVolume,
    disks,
    consolePath: io.files.consolePath(server),
  };
}

async function readBack(io: HostIo, { server, volumes }: BuildInstance): Promise<Outcome> {
  const guest = await io.virt.guest(server);
  if (guest === null) throw new NovellaError('domain-not-found', 'the guest went away while it was made', { server });
  const disks = [];
  for (const disk of volumes) disks.push(await measureDisk(io, disk, guest));
  return { status: 'built', powerState: guest.powerState, disks };
}

/**
 * The last made first. Ends at what cannot be taken back: a guest that may still run keeps its devices and files until a
 * delete. The build's own error is what counts.
 */
async function takeBack(io: HostIo, { server }: BuildInstance, undo: readonly Undo[]): Promise<void> {
  for (const { name, run } of undo.toReversed()) {
    try {
      await run();
    } catch (error) {
      io.log.error('a failed build could not take back what it made', { server, what: name, error });
      return;
    }
  }
}
