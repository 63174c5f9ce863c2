import type { MeasuredDisk, VolumeDisk } from '@novella/contracts';
import { type Bytes, bytes, bytesToGib, type GiB, gib, gibToBytes, type VolumeId } from '@novella/core';
import type { BlockDeviceMapping, RecordChanges } from '@novella/persistence';

/** The mapping as a command carries it; null while Cinder has not said how the host reaches the volume. */
export function volumeDisk(mapping: BlockDeviceMapping): VolumeDisk | null {
  if (mapping.attachmentId === null || mapping.connection === null) return null;
  return {
    volume: mapping.volumeId,
    attachment: mapping.attachmentId,
    connection: mapping.connection,
    sealedSecret: mapping.sealedSecret,
    device: mapping.device.replace(/^\/dev\//, ''),
    bus: mapping.bus,
    shareable: mapping.multiattach,
  };
}

export const connectedDisks = (mappings: readonly BlockDeviceMapping[]): VolumeDisk[] =>
  mappings.map(volumeDisk).filter((disk) => disk !== null);

/** Those that a host has reported in the guest: not one whose attach it has not begun, nor one that it has let go. */
export const guestDisks = (mappings: readonly BlockDeviceMapping[]): VolumeDisk[] =>
  connectedDisks(mappings.filter(({ hostBytes }) => hostBytes !== null));

/** What the guest shall see of a volume of `size`: less the overhead recorded at attach (a LUKS header). */
export const visibleBytes = (size: GiB, mapping: Pick<BlockDeviceMapping, 'overheadBytes'>): Bytes =>
  bytes(gibToBytes(size) - mapping.overheadBytes);

/** The size of the volume of which a guest shall see, or sees, so much. */
export const volumeSize = (visible: Bytes, mapping: Pick<BlockDeviceMapping, 'overheadBytes'>): GiB =>
  bytesToGib(bytes(visible + mapping.overheadBytes));

/** The volume's size as Nova shows it, of which a guest or host sees `seen`. It never shrinks: an older look is no news. */
export const shownSize = (seen: Bytes, mapping: BlockDeviceMapping): GiB =>
  gib(Math.max(mapping.size, volumeSize(seen, mapping)));

/** What a host has read back. */
export interface ReadBack {
  /** As the rows shall say it. */
  readonly changes: NonNullable<RecordChanges['mappings']>;
  /** Of which the guest sees too little. */
  readonly behind: readonly VolumeId[];
  /** What proves it. */
  readonly seen: readonly { readonly guestBytes: Bytes | null }[];
}

/** Of a guest that was booted, or is off: it sees what the hypervisor shows. */
export function readBack(mappings: readonly BlockDeviceMapping[], disks: readonly MeasuredDisk[]): ReadBack {
  const known = measured(mappings, disks);
  return {
    changes: known.map(({ mapping, overhead, disk: { hostBytes, guestBytes } }) => ({
      id: mapping.id,
      hostBytes,
      guestBytes,
      ...overhead,
      ...(guestBytes === null ? {} : { size: shownSize(guestBytes, mapping) }),
    })),
    behind: known
      .filter(({ mapping, disk }) => disk.guestBytes !== null && disk.guestBytes < mapping.wantedBytes)
      .map(({ mapping }) => mapping.volumeId),
    seen: disks,
  };
}

/**
 * Of a guest that goes on, or will, with the memory that it had. It knows its disks as it did before, whatever the
 * hypervisor shows of them now: what is larger than it is known to have seen it has to be told of.
 */
export function readBackWithoutBoot(mappings: readonly BlockDeviceMapping[], disks: readonly MeasuredDisk[]): ReadBack {
  const known = measured(mappings, disks);
  const untold = known.filter(
    ({ mapping, disk }) => disk.guestBytes !== null && (mapping.guestBytes ?? 0) < disk.guestBytes,
  );
  const told = known.filter((one) => one.disk.guestBytes !== null && !untold.includes(one)).map(({ disk }) => disk);
  const { changes, behind } = readBack(mappings, told);
  const saved = known.filter(({ disk }) => disk.guestBytes === null);
  return {
    changes: [
      ...changes,
      ...untold.map(({ mapping, disk: { hostBytes } }) => ({ id: mapping.id, hostBytes, guestBytes: null })),
      ...saved.map(({ mapping, disk: { hostBytes } }) => ({ id: mapping.id, hostBytes })),
    ],
    behind: [...behind, ...untold.map(({ mapping }) => mapping.volumeId)],
    seen: [...told, ...[...untold, ...saved].map(() => ({ guestBytes: null }))],
  };
}

/** Each with the overhead that the host has found, which the record may not have yet. */
function measured(mappings: readonly BlockDeviceMapping[], disks: readonly MeasuredDisk[]) {
  const byVolume = new Map(disks.map((disk) => [disk.volume, disk]));
  return mappings.flatMap((mapping) => {
    const disk = byVolume.get(mapping.volumeId);
    if (disk === undefined) return [];
    const overhead = overheadOf(mapping, disk);
    return [{ mapping: { ...mapping, ...overhead }, overhead, disk }];
  });
}

/** An overhead that the record does not have yet, and what the guest is to see less for it. */
function overheadOf(mapping: BlockDeviceMapping, { overheadBytes = bytes(0) }: MeasuredDisk) {
  if (overheadBytes === mapping.overheadBytes) return {};
  return { overheadBytes, wantedBytes: bytes(mapping.wantedBytes + mapping.overheadBytes - overheadBytes) };
}

/** What proves the sizes of an operation's volumes: with one that no guest shows, only the host's word. */
export function proof(sizes: readonly { readonly guestBytes: Bytes | null }[]) {
  if (sizes.length === 0) return {};
  return sizes.some(({ guestBytes }) => guestBytes === null)
    ? ({ verifiedBy: 'host-device', visible: 'next-start' } as const)
    : ({ verifiedBy: 'hypervisor', visible: 'now' } as const);
}
