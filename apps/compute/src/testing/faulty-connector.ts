import type { VolumeConnector, VolumeSecret } from '@novella/brick';

export interface ConnectorFaults {
  /** The next call of a method fails so, before it does anything. */
  connector: Partial<Record<keyof VolumeConnector, Error>>;
}

export function faultyConnector(
  connector: VolumeConnector,
  faults: ConnectorFaults,
  onConnect: (secret: VolumeSecret | null) => void,
): VolumeConnector {
  const guard = async <T>(method: keyof VolumeConnector, run: () => Promise<T>): Promise<T> => {
    const { [method]: fault, ...others } = faults.connector;
    faults.connector = others;
    if (fault !== undefined) throw fault;
    return run();
  };
  return {
    connect: (connection, secret) =>
      guard('connect', () => {
        onConnect(secret);
        return connector.connect(connection, secret);
      }),
    disconnect: (connection) => guard('disconnect', () => connector.disconnect(connection)),
    size: (connection) => guard('size', () => connector.size(connection)),
    rescan: (connection, wanted, signal) => guard('rescan', () => connector.rescan(connection, wanted, signal)),
    grow: (connection, wanted) => guard('grow', () => connector.grow(connection, wanted)),
  };
}
