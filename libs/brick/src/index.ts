export type { HostDevice, VolumeConnector } from './connector.js';
