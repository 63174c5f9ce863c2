import { finishCreate, finishDelete } from './create-volume.js';
import { finishExtend } from './extend-volume.js';
import { type Parts } from './parts.js';

/** After a start: gives hosts their devices back and finishes what an earlier process had begun. */
export async function resume(parts: Parts): Promise<void> {
  const { state, files, work, log } = parts;
  for (const { id, volumeId, devicePath, format } of state.attachments.all()) {
    if (devicePath === null) continue;
    try {
      await files.connect({ id: volumeId, format }, devicePath);
    } catch (error) {
      log.error('could not give an attachment its device back', { attachmentId: id, devicePath, error });
    }
  }
  for (const { id, status } of state.volumes.all()) {
    if (status === 'creating') work.start('create-volume', () => finishCreate(parts, id));
    if (status === 'extending') work.start('extend-volume', () => finishExtend(parts, id));
    if (status === 'deleting') work.start('delete-volume', () => finishDelete(parts, id));
  }
}
