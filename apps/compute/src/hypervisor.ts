import { FakeDriver, FakeHypervisorClient, hostFiles, LibvirtDriver, type VirtDriver } from '@novella/virt';

export interface HypervisorSettings {
  readonly virtDriver: 'libvirt' | 'fake';
  readonly libvirtSocket: string;
  readonly domainType: 'kvm' | 'qemu';
  /** Where `serveFakeHypervisor` serves; without it a fake's guests are in this process. */
  readonly fakeHypervisorSocket?: string;
}

/** Error hypervisor-unreachable while libvirt, or a hypervisor of that socket, is not there. */
export async function openHypervisor(settings: HypervisorSettings): Promise<VirtDriver> {
  const { virtDriver, libvirtSocket, domainType, fakeHypervisorSocket } = settings;
  if (virtDriver === 'libvirt') return LibvirtDriver.open({ socketPath: libvirtSocket, domainType });
  if (fakeHypervisorSocket === undefined) return fakeHypervisor();
  return FakeHypervisorClient.open({ socketPath: fakeHypervisorSocket });
}

/** Guests in memory, on the real files of this host. */
export const fakeHypervisor = (): FakeDriver => new FakeDriver(hostFiles);
