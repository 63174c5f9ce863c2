export type { Guest, GuestDisk, GuestSpec, HypervisorFacts, LiveResize, VirtDriver } from './driver.js';
