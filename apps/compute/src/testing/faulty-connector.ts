import type { VolumeConnector, VolumeSecret } from '@novella/brick';
import type { ConnectionInfo } from '@novella/core';

export interface ConnectorFaults {
  /** The next call of a method fails so, before it does anything. */
  connector: Partial<Record<keyof VolumeConnector, Error>>;
}

export function faultyConnector<Connection extends ConnectionInfo>(
  connector: VolumeConnector<Connection>,
  faults: ConnectorFaults,
  onConnect: (secret: VolumeSecret | null) => void,
): VolumeConnector<Connection> {
  const guard = async <T>(method: keyof VolumeConnector, run: () => Promise<T>): Promise<T> => {
    const { [method]: fault, ...others } = faults.connector;
    faults.connector = others;
    if (fault !== undefined) throw fault;
    return run();
  };
  return {
    connect: (volume) =>
      guard('connect', () => {
        onConnect(volume.secret);
        return connector.connect(volume);
      }),
    disconnect: (connection) => guard('disconnect', () => connector.disconnect(connection)),
    size: (volume) => guard('size', () => connector.size(volume)),
    overhead: (volume) => guard('overhead', () => connector.overhead(volume)),
    rescan: (volume, wanted, signal) => guard('rescan', () => connector.rescan(volume, wanted, signal)),
    grow: (volume, wanted) => guard('grow', () => connector.grow(volume, wanted)),
    restore: (volume, wanted) => guard('restore', () => connector.restore(volume, wanted)),
    isUsable: () => connector.isUsable(),
  };
}
