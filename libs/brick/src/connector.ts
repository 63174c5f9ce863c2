import type { Bytes, ConnectionInfo } from '@novella/core';

/** What a hypervisor opens. It holds no secret. */
export type HostDevice = LocalDevice | RbdDevice;

/** The path as it is on this host, resolved and inside a configured root. */
export interface LocalDevice {
  readonly kind: 'file' | 'block';
  readonly path: string;
}

/** An image that QEMU itself reaches over the network. */
export interface RbdDevice {
  readonly kind: 'network';
  /** `pool/image` */
  readonly path: string;
  /** An IPv6 address is without brackets. */
  readonly monitors: readonly { readonly host: string; readonly port: number }[];
  /** `secretUuid`: of a secret that an operator may have given libvirt; it then counts, and not our own key. */
  readonly auth: { readonly username: string; readonly secretUuid: string | null } | null;
  readonly discard: boolean;
}

/** What else a host needs to reach a volume (CHAP, cephx, a passphrase), by name; null: nothing. Never to be logged. */
export type VolumeSecret = Readonly<Record<string, string>>;

/** How a host reaches a volume, with all that it needs for it. */
export interface ReachableVolume<Connection extends ConnectionInfo = ConnectionInfo> {
  readonly connection: Connection;
  readonly secret: VolumeSecret | null;
}

/** What a hypervisor must be told to open a device. Kept in memory alone, and never to be logged. */
export interface DeviceKey {
  /** A Ceph user's key, or a LUKS pass phrase. */
  readonly purpose: 'cephx' | 'luks';
  readonly value: Buffer;
}

export interface ConnectedVolume {
  readonly device: HostDevice;
  readonly keys: readonly DeviceKey[];
}

/**
 * The host's side of a volume, per protocol. Every method measures first and does only what is missing, so a second
 * identical call changes nothing. Mirrors os-brick's initiator connectors, with the waits and comparisons they lack.
 * All but `disconnect` may fail with host-device-missing, path-outside-roots, paths-down, volume-key-missing and
 * connection-info-invalid (it is not what Cinder said).
 */
export interface VolumeConnector<Connection extends ConnectionInfo = ConnectionInfo> {
  /**
   * Makes the volume a device of this host, or makes sure that the hypervisor can reach it. One that is to be encrypted
   * and is empty gets its LUKS header. Errors: image-refused for a qcow2 file that names another file, is encrypted or
   * damaged, and for an encrypted volume without the header of LUKS 1; connector-unsupported for an encrypted qcow2 file.
   */
  connect(volume: ReachableVolume<Connection>): Promise<ConnectedVolume>;

  /** Lets go of what connect made. A device that is not there is no error. */
  disconnect(connection: Connection): Promise<void>;

  /**
   * Bytes that a guest would see of the device now, measured: of a qcow2 file its virtual size, of an encrypted volume
   * what comes after its header. All sizes that the other methods take and answer are meant so.
   */
  size(volume: ReachableVolume<Connection>): Promise<Bytes>;

  /** Bytes of the device that no guest sees: the header of an encrypted volume, 0 for others. */
  overhead(volume: ReachableVolume<Connection>): Promise<Bytes>;

  /**
   * Rescans until the device has at least `wanted`, for a bounded time. Answers the bytes it then measured, which may be
   * more. Never changes the volume itself: growing is the volume service's job. Where it is not (`isGrownByHost`) there is
   * nothing to wait for: it measures once, and may answer less.
   * Error: host-device-too-small with `wanted` and `measured`.
   */
  rescan(volume: ReachableVolume<Connection>, wanted: Bytes, signal: AbortSignal): Promise<Bytes>;

  /**
   * Makes a volume that the host grows (`isGrownByHost`) at least `wanted` large, while no guest has it open. Never makes
   * it smaller. Answers what was read back. Errors: guest-busy when a process has it open; disk-cannot-grow;
   * extend-unsupported when growing it is the volume service's job.
   */
  grow(volume: ReachableVolume<Connection>, wanted: Bytes): Promise<Bytes>;

  /**
   * Gives a volume whose length a resize in the hypervisor has set, and cut, at least `wanted` again. Never makes it
   * smaller. Answers what was read back. Error: extend-unsupported for a device whose length no hypervisor can set.
   */
  restore(volume: ReachableVolume<Connection>, wanted: Bytes): Promise<Bytes>;

  /** Whether this host has the programs that the connector runs. */
  isUsable(): Promise<boolean>;
}

/**
 * Who makes the volume larger: for most the volume service; a qcow2 file, whose size is in its header, the hypervisor that
 * has it open, or else this host. nova:nova/virt/libvirt/volume/nfs.py extend_volume.
 */
export const isGrownByHost = (connection: ConnectionInfo): boolean => connection.format === 'qcow2';
