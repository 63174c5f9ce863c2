import type { Bytes, ConnectionInfo } from '@novella/core';

/** What a hypervisor opens: the path as it is on this host, resolved and inside a configured root. */
export interface HostDevice {
  readonly kind: 'file' | 'block';
  readonly path: string;
}

/** What else a host needs to reach a volume (CHAP, cephx, a passphrase), by name; null: nothing. Never to be logged. */
export type VolumeSecret = Readonly<Record<string, string>>;

/**
 * The host's side of a volume, per protocol. Every method measures first and does only what is missing, so a second
 * identical call changes nothing. Mirrors os-brick's initiator connectors, with the waits and comparisons they lack.
 */
export interface VolumeConnector {
  /**
   * Makes the volume a device of this host. Errors: host-device-missing, path-outside-roots, paths-down;
   * connector-unsupported when it is encrypted; connection-info-invalid when it is not what Cinder said; image-refused
   * for a qcow2 file that names another file, is encrypted or damaged.
   */
  connect(connection: ConnectionInfo, secret: VolumeSecret | null): Promise<HostDevice>;

  /** Lets go of what connect made. A device that is not there is no error. */
  disconnect(connection: ConnectionInfo): Promise<void>;

  /** Bytes that a guest would see of the device now, measured: of a qcow2 file its virtual size. */
  size(connection: ConnectionInfo): Promise<Bytes>;

  /**
   * Rescans until the device has at least `wanted`, for a bounded time. Answers the bytes it then measured, which may be
   * more. Never changes the volume itself: growing is the volume service's job. Where it is not (`isGrownByHost`) there is
   * nothing to wait for: it measures once, and may answer less.
   * Errors: host-device-too-small with `wanted` and `measured`; host-device-missing; paths-down.
   */
  rescan(connection: ConnectionInfo, wanted: Bytes, signal: AbortSignal): Promise<Bytes>;

  /**
   * Makes a volume that the host grows (`isGrownByHost`) at least `wanted` large, while no guest has it open. Never makes
   * it smaller. Answers what was read back. Errors: guest-busy when a process has it open; disk-cannot-grow;
   * extend-unsupported when growing it is the volume service's job.
   */
  grow(connection: ConnectionInfo, wanted: Bytes): Promise<Bytes>;
}

/**
 * Who makes the volume larger: for most the volume service; a qcow2 file, whose size is in its header, the hypervisor that
 * has it open, or else this host. nova:nova/virt/libvirt/volume/nfs.py extend_volume.
 */
export const isGrownByHost = (connection: ConnectionInfo): boolean => connection.format === 'qcow2';
