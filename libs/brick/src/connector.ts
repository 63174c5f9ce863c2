import type { Bytes, ConnectionInfo } from '@novella/core';

/** What a hypervisor opens: the path as it is on this host, resolved and inside a configured root. */
export interface HostDevice {
  readonly kind: 'file' | 'block';
  readonly path: string;
}

/**
 * The host's side of a volume, per protocol. Every method measures first and does only what is missing, so a second
 * identical call changes nothing. Mirrors os-brick's initiator connectors, with the waits and comparisons they lack.
 */
export interface VolumeConnector {
  /** Makes the volume a device of this host. Errors: host-device-missing, path-outside-roots, paths-down. */
  connect(connection: ConnectionInfo): Promise<HostDevice>;

  /** Lets go of what connect made. A device that is not there is no error. */
  disconnect(connection: ConnectionInfo): Promise<void>;

  /** Bytes that the device has now, measured. */
  size(connection: ConnectionInfo): Promise<Bytes>;

  /**
   * Rescans until the device has at least `wanted`, for a bounded time. Answers the bytes it then measured, which may be
   * more. Never changes the volume itself: growing is the volume service's job.
   * Errors: host-device-too-small with `wanted` and `measured`; host-device-missing; paths-down.
   */
  rescan(connection: ConnectionInfo, wanted: Bytes, signal: AbortSignal): Promise<Bytes>;
}
