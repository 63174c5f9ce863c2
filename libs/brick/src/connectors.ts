import type { ConnectionInfo } from '@novella/core';
import type { VolumeConnector } from './connector.js';
import { LocalConnector, type LocalConnectorOptions } from './local-connector.js';

/** One connector for each protocol that `ConnectionInfo` knows: a new protocol does not compile until it has one. */
export type Connectors = Readonly<Record<ConnectionInfo['protocol'], VolumeConnector>>;

export interface ConnectorOptions {
  readonly local: LocalConnectorOptions;
}

export const createConnectors = (options: ConnectorOptions): Connectors => ({
  local: new LocalConnector(options.local),
});
