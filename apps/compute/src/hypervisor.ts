import { lstat } from 'node:fs/promises';
import { growQcow2, qcow2Size, spawnRunner } from '@novella/brick';
import { bytes } from '@novella/core';
import { FakeDriver, LibvirtDriver, type VirtDriver } from '@novella/virt';

export interface HypervisorSettings {
  readonly virtDriver: 'libvirt' | 'fake';
  readonly libvirtSocket: string;
  readonly domainType: 'kvm' | 'qemu';
}

/** Error hypervisor-unreachable while libvirt is not there. */
export async function openHypervisor(settings: HypervisorSettings): Promise<VirtDriver> {
  const { virtDriver, libvirtSocket: socketPath, domainType } = settings;
  return virtDriver === 'libvirt' ? LibvirtDriver.open({ socketPath, domainType }) : fakeHypervisor();
}

/** Guests in memory, on the real files of this host. */
export const fakeHypervisor = (): FakeDriver =>
  new FakeDriver({
    deviceSize: async ({ path }, format) => (format === 'qcow2' ? qcow2Size(path) : bytes((await lstat(path)).size)),
    growQcow2: (path, size) => growQcow2(spawnRunner, path, size),
  });
