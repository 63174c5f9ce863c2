import { join } from 'node:path';
import { noSuch } from '../faults.js';
import { DocumentFolder } from './document-folder.js';
import {
  attachmentRecord,
  type AttachmentRecord,
  messageRecord,
  type MessageRecord,
  volumeRecord,
  type VolumeRecord,
} from './records.js';

/** All that cinder-dev remembers. What reads and then writes about one volume does so inside `exclusive`. */
export class State {
  private readonly turns = new Map<string, Promise<unknown>>();

  private constructor(
    readonly volumes: DocumentFolder<VolumeRecord>,
    readonly attachments: DocumentFolder<AttachmentRecord>,
    readonly messages: DocumentFolder<MessageRecord>,
  ) {}

  static async open(dataDir: string): Promise<State> {
    return new State(
      await DocumentFolder.open(join(dataDir, 'volumes'), volumeRecord),
      await DocumentFolder.open(join(dataDir, 'attachments'), attachmentRecord),
      await DocumentFolder.open(join(dataDir, 'messages'), messageRecord),
    );
  }

  /** Error: 404. */
  volume(id: string): VolumeRecord {
    const volume = this.volumes.get(id);
    if (volume === undefined) throw noSuch('Volume', id);
    return volume;
  }

  /** Error: 404. */
  attachment(id: string): AttachmentRecord {
    const attachment = this.attachments.get(id);
    if (attachment === undefined) throw noSuch('Attachment', id);
    return attachment;
  }

  attachmentsOf(volumeId: string): AttachmentRecord[] {
    return this.attachments.all().filter((each) => each.volumeId === volumeId);
  }

  async updateVolume(id: string, change: Partial<VolumeRecord>): Promise<VolumeRecord> {
    return this.volumes.put({ ...this.volume(id), ...change, updatedAt: new Date().toISOString() });
  }

  /** Runs `work` alone among the works on this volume, in the order of the calls. */
  async exclusive<T>(volumeId: string, work: () => Promise<T>): Promise<T> {
    const before = this.turns.get(volumeId) ?? Promise.resolve();
    const mine = before.then(work, work);
    this.turns.set(volumeId, mine);
    try {
      return await mine;
    } finally {
      if (this.turns.get(volumeId) === mine) this.turns.delete(volumeId);
    }
  }
}
