export type { Guest, GuestDisk, GuestSpec, HypervisorFacts, LiveResize, VirtDriver, VolumeKey } from './driver.js';
export { FakeHypervisorClient, type FakeHypervisorClientOptions } from './fake-client.js';
export { type DriverCall, type DriverMethod, FakeDriver, type FakeDriverOptions } from './fake-driver.js';
export { FakeGuestFiles } from './fake-guest-files.js';
export type { GuestKeep, Resize } from './fake-guests.js';
export { hostFiles } from './fake-host-files.js';
export { type FakeHypervisor, type FakeHypervisorOptions, serveFakeHypervisor } from './fake-hypervisor.js';
export type { HeldCall } from './faults.js';
export { LibvirtDriver, type LibvirtDriverOptions } from './libvirt-driver.js';
