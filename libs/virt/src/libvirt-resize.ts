import { type Bytes, type ErrorFacts, NovellaError, type ServerId, type VolumeId } from '@novella/core';
import type { LibvirtClient } from '@novella/libvirt';
import type { VolumeDisk } from './domain-read.js';
import { domainRef, type LibvirtDomains } from './libvirt-domains.js';
import { hasLiveDisks } from './power-state.js';

interface ResizeIo {
  readonly client: LibvirtClient;
  readonly domains: LibvirtDomains;
  /** Of the file or block device at that path, now. */
  readonly hostSize: (path: string) => Promise<Bytes>;
}

const IN_BYTES = 1;

/**
 * Tells QEMU the new size of a disk and reads back what it then shows the guest. The caller holds the disk's lock.
 * nova:virt/libvirt/driver.py _resize_attached_volume
 */
export async function resizeLiveDisk(io: ResizeIo, server: ServerId, volume: VolumeId, size: Bytes): Promise<Bytes> {
  const found = await io.domains.find(server);
  if (!found) throw new NovellaError('domain-not-found', 'libvirt has no such domain', { server });
  const facts = { server, volume, wanted: size, powerState: found.powerState };
  if (!hasLiveDisks(found.powerState)) {
    throw new NovellaError('hypervisor-refused', 'only the disk of a running or paused guest can be resized', facts);
  }
  const disk = found.volumeDisks.find((one) => one.volume === volume);
  if (!disk) throw new NovellaError('guest-disk-missing', 'the guest has no disk of that volume', facts);

  const before = await io.domains.shownSize(server, disk.device);
  // At the same size QEMU tells the guest, whose memory may be older than its disk.
  if (size < before) return before;
  if (disk.format === 'raw' && disk.kind !== 'network') {
    refuseToSetLength(disk, size, await io.hostSize(disk.path), facts);
  }
  await io.client.call('domainBlockResize', {
    domain: domainRef(server),
    disk: disk.device,
    size: BigInt(size),
    flags: IN_BYTES,
  });
  return io.domains.shownSize(server, disk.device);
}

/** QEMU gives a raw file the length it is told: longer than the volume service made it, or shorter than it is. */
function refuseToSetLength(disk: VolumeDisk, size: Bytes, hostBytes: Bytes, facts: ErrorFacts): void {
  const measured = { ...facts, hostBytes };
  if (hostBytes < size) {
    throw new NovellaError('disk-cannot-grow', "the host's device is smaller than the wanted size", measured);
  }
  if (hostBytes > size && disk.kind === 'file') {
    throw new NovellaError('hypervisor-refused', 'the file is larger than the wanted size and would be cut', measured);
  }
}
