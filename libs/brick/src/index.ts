export {
  type ConnectedVolume,
  type DeviceKey,
  type HostDevice,
  isGrownByHost,
  type LocalDevice,
  type RbdDevice,
  type ReachableVolume,
  type VolumeConnector,
  type VolumeSecret,
} from './connector.js';
export { connectorProperties, type FileReader, readHostFile } from './connector-properties.js';
export { connectorFor, type ConnectorOptions, type Connectors, createConnectors } from './connectors.js';
export { sizeOfPath } from './device-size.js';
export { growFile } from './grow-file.js';
export { LocalConnector, type LocalConnectorOptions } from './local-connector.js';
export { luksOverhead } from './luks.js';
export { type ProcessResult, type ProcessRunner, type RunOptions, spawnRunner } from './process-runner.js';
export { growQcow2, qcow2Size } from './qcow2-file.js';
export { RbdConnector, type RbdConnectorOptions } from './rbd-connector.js';
export { type RbdCluster, type RbdImages, type RbdLook, RbdProcesses } from './rbd-images.js';
