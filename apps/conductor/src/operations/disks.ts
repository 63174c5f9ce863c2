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

/** Sizes that a host has read back, as the rows shall say, and the volumes of which the guest sees too little. */
export function readBack(
  mappings: readonly BlockDeviceMapping[],
  disks: readonly MeasuredDisk[],
): { changes: NonNullable<RecordChanges['mappings']>; behind: VolumeId[] } {
  const measured = new Map(disks.map((disk) => [disk.volume, disk]));
  const seen = mappings.flatMap((mapping) => {
    const disk = measured.get(mapping.volumeId);
    return disk === undefined ? [] : [{ disk, overhead: overheadOf(mapping, disk), mapping }];
  });
  return {
    changes: seen.map(({ mapping, overhead, disk: { hostBytes, guestBytes } }) => ({
      id: mapping.id,
      hostBytes,
      guestBytes,
      ...overhead,
      ...(guestBytes === null ? {} : { size: shownSize(guestBytes, { ...mapping, ...overhead }) }),
    })),
    behind: seen
      .filter(({ mapping, overhead, disk: { guestBytes } }) => {
        const { wantedBytes } = { ...mapping, ...overhead };
        return guestBytes !== null && guestBytes < wantedBytes;
      })
      .map(({ mapping }) => mapping.volumeId),
  };
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
