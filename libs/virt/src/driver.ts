import type { DeviceKey, HostDevice } from '@novella/brick';
import type { Bytes, Millis, PowerState, ServerId, VolumeId } from '@novella/core';

/** What opens a volume's device. A hypervisor keeps it in memory alone, as long as a guest has the volume as a disk. */
export type VolumeKey = DeviceKey & { readonly volume: VolumeId };

/**
 * What a hypervisor does for us. A driver touches only guests that carry our metadata; a domain of that uuid or name
 * without it is `domain-not-ours`. Every method that changes something measures first and may be called again.
 */
export interface VirtDriver {
  readonly name: string;

  hypervisor(): Promise<HypervisorFacts>;

  /** All guests of ours on this host. */
  guests(): Promise<Guest[]>;
  guest(server: ServerId): Promise<Guest | null>;

  /**
   * Defines the guest and starts it; a guest that is there already is left as it is, and started if it is off.
   * Answers what is running then. Errors: domain-not-ours; volume-key-missing; hypervisor-refused, which is final for a
   * shareable qcow2 disk and else says that a disk cannot be opened: the guest is then defined and off.
   */
  createGuest(spec: GuestSpec, keys?: readonly VolumeKey[]): Promise<Guest>;

  /** Stops the guest, forgets its definition and its console. A guest that is not there is no error. */
  destroyGuest(server: ServerId): Promise<void>;

  /**
   * Boots a guest that is off, with its disks as they now are; memory that was saved of it is forgotten. One that runs or
   * is paused is left alone. It may have switched itself off again by the answer. Errors: domain-not-found; hypervisor-refused when a disk cannot
   * be opened.
   */
  startGuest(server: ServerId, keys?: readonly VolumeKey[]): Promise<Guest>;

  /**
   * Asks the guest to shut down and cuts its power when it is not off after `grace` (0: at once). Answers when it is off;
   * one that is off already is no error, and one that is paused is cut at once, for it cannot hear. Memory that was saved
   * of it is forgotten. A run of the guest
   * that somebody starts meanwhile is left alone. Errors: domain-not-found; guest-busy while a migration, backup or
   * block job of it is under way; hypervisor-unreachable; the signal's reason when it is aborted, with the power on.
   */
  stopGuest(server: ServerId, grace: Millis, signal: AbortSignal): Promise<void>;

  /**
   * Holds the guest's processors; it keeps its memory and its disks. One that does not run is left alone.
   * Errors: domain-not-found; guest-busy.
   */
  pauseGuest(server: ServerId): Promise<Guest>;

  /** Lets a paused guest go on; any other is left alone. Errors: domain-not-found; guest-busy. */
  unpauseGuest(server: ServerId): Promise<Guest>;

  /**
   * Writes the guest's memory to the host's disk and ends its process: it is `saved` then, and its disks must stay as they
   * are. One that is off is left alone. Errors: domain-not-found; guest-busy; hypervisor-refused, when there is no room
   * for its memory: it then goes on; the signal's reason when it is aborted, with the saving still under way.
   */
  suspendGuest(server: ServerId, signal: AbortSignal): Promise<Guest>;

  /**
   * Lets a saved guest go on where it was. Its kernel knows its disks by the sizes that it was told before, whatever
   * `guestBytes` says, until `resizeDisk` tells it. One that is paused or asleep goes on too, one that is off without
   * saved memory is booted, one that runs is left alone. Errors: domain-not-found; guest-busy; hypervisor-refused when a
   * disk cannot be opened: its memory is kept; the signal's reason when it is aborted.
   */
  resumeGuest(server: ServerId, signal: AbortSignal, keys?: readonly VolumeKey[]): Promise<Guest>;

  /**
   * Into the definition, and into the running guest if it runs. A disk of that volume that is there is left alone.
   * Errors: domain-not-found; guest-busy for a guest whose memory is saved; volume-key-missing; hypervisor-refused, which
   * is final for a shareable qcow2 disk.
   */
  attachDisk(server: ServerId, disk: GuestDisk, keys?: readonly VolumeKey[]): Promise<Guest>;

  /**
   * From the guest, waiting until it has let go, and then from the definition. A disk that is not there is no error.
   * Error: guest-busy, at once when the guest is paused and would have to let go, and when its memory is saved, in which
   * the disk is; the disk is then still in both.
   */
  detachDisk(server: ServerId, volume: VolumeId): Promise<void>;

  /** Absent where the hypervisor cannot grow a disk of a running guest: the caller must look before it calls. */
  readonly liveResize?: LiveResize;

  /** Called for each change of a guest of ours, by the hypervisor's event; after a reconnect for each guest. */
  onPowerState(listener: (server: ServerId, powerState: PowerState) => void): void;

  /** Ends the connection; guests go on. */
  close(): Promise<void>;
}

export interface LiveResize {
  /**
   * Tells a running or paused guest that its disk of `volume` now has `size` bytes, which the host's device must have;
   * a qcow2 file is grown to it by the hypervisor itself.
   * Answers the size that the hypervisor then shows the guest, read back. Never makes the disk smaller: with a `size`
   * below the present one it only reads, and with the present one it tells the guest once more. A raw file that is larger
   * than `size` by now would be cut, and another guest may use all of it: hypervisor-refused, measure again. (An image in
   * a Ceph cluster would be too, and the hypervisor cannot tell.) Errors: guest-disk-missing, disk-cannot-grow, guest-busy.
   */
  resizeDisk(server: ServerId, volume: VolumeId, size: Bytes): Promise<Bytes>;
}

export interface HypervisorFacts {
  readonly type: string;
  readonly version: string;
  readonly hostname: string;
  readonly vcpus: number;
  readonly memoryMib: number;
}

export interface Guest {
  readonly server: ServerId;
  readonly powerState: PowerState;
  /** Differs with each start of the guest; null while it is off. */
  readonly run: number | null;
  readonly disks: readonly {
    readonly volume: VolumeId;
    readonly device: string;
    readonly path: string;
    /** What the hypervisor shows a running or paused guest; null when it is off. See `resumeGuest`. */
    readonly guestBytes: Bytes | null;
  }[];
}

export interface GuestDisk {
  readonly volume: VolumeId;
  readonly source: HostDevice;
  /** `luks`: raw, and encrypted; the hypervisor shows the guest what is in it. */
  readonly format: 'raw' | 'qcow2' | 'luks';
  /** `vdb`, `sda`. */
  readonly device: string;
  readonly bus: 'virtio' | 'scsi';
  readonly shareable: boolean;
  readonly readOnly: boolean;
}

export interface GuestSpec {
  readonly server: ServerId;
  readonly domainName: string;
  readonly displayName: string;
  readonly projectId: string;
  readonly vcpus: number;
  readonly memoryMib: number;
  /** null: the guest boots from its root disk or boot volume. */
  readonly kernel: { readonly kernelPath: string; readonly initrdPath: string; readonly commandLine: string } | null;
  readonly rootDisk: {
    readonly path: string;
    readonly format: 'raw' | 'qcow2';
    readonly bus: 'virtio' | 'scsi';
  } | null;
  /** Which of `disks` is the boot device, if any. */
  readonly bootVolume: VolumeId | null;
  readonly disks: readonly GuestDisk[];
  /** The serial console is written here. */
  readonly consolePath: string;
}
