import type { VolumeDisk } from '@novella/contracts';
import type { BlockDeviceMapping } from '@novella/persistence';

/** The mapping as a command carries it; null while Cinder has not said how the host reaches the volume. */
export function volumeDisk(mapping: BlockDeviceMapping): VolumeDisk | null {
  if (mapping.attachmentId === null || mapping.connection === null) return null;
  return {
    volume: mapping.volumeId,
    attachment: mapping.attachmentId,
    connection: mapping.connection,
    device: mapping.device.replace(/^\/dev\//, ''),
    bus: mapping.bus,
    shareable: mapping.multiattach,
  };
}

export const connectedDisks = (mappings: readonly BlockDeviceMapping[]): VolumeDisk[] =>
  mappings.map(volumeDisk).filter((disk) => disk !== null);
