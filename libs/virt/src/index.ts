export type { Guest, GuestDisk, GuestSpec, HypervisorFacts, LiveResize, VirtDriver } from './driver.js';
export { type DriverCall, type DriverMethod, FakeDriver, type FakeDriverOptions } from './fake-driver.js';
export type { HeldCall } from './faults.js';
export { LibvirtDriver, type LibvirtDriverOptions } from './libvirt-driver.js';
