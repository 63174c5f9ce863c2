export { type HostDevice, isGrownByHost, type VolumeConnector, type VolumeSecret } from './connector.js';
export { connectorProperties, type FileReader, readHostFile } from './connector-properties.js';
export { type ConnectorOptions, type Connectors, createConnectors } from './connectors.js';
export { LocalConnector, type LocalConnectorOptions } from './local-connector.js';
export { type ProcessResult, type ProcessRunner, spawnRunner } from './process-runner.js';
export { growQcow2, qcow2Size } from './qcow2-file.js';
