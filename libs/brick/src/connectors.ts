import type { ConnectionInfo, ConnectionInfoOf } from '@novella/core';
import type { VolumeConnector } from './connector.js';
import { LocalConnector, type LocalConnectorOptions } from './local-connector.js';
import { RbdConnector, type RbdConnectorOptions } from './rbd-connector.js';

type Protocol = ConnectionInfo['protocol'];

/** One connector for each protocol that `ConnectionInfo` knows: a new protocol does not compile until it has one. */
export type Connectors = { readonly [Name in Protocol]: VolumeConnector<ConnectionInfoOf<Name>> };

export interface ConnectorOptions {
  readonly local: LocalConnectorOptions;
  readonly rbd: RbdConnectorOptions;
}

export const createConnectors = (options: ConnectorOptions): Connectors => ({
  local: new LocalConnector(options.local),
  rbd: new RbdConnector(options.rbd),
});

/** The one for this connection. */
export const connectorFor = (connectors: Connectors, { protocol }: ConnectionInfo): VolumeConnector =>
  connectors[protocol];
