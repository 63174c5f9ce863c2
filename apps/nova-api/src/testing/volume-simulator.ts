import { type AttachmentId, type ErrorCode, gib, NovellaError, type ServerId, type VolumeId } from '@novella/core';
import type { VolumeApi, VolumeFacts, VolumeUser } from '../volume-api.js';

/** Cinder as nova-api sees it: volumes that change state, attachments that exist, faults that a test puts in. */
export class VolumeSimulator implements VolumeApi {
  readonly volumes = new Map<VolumeId, VolumeFacts>();
  /** Whose token can read the volume; without one anybody's. */
  readonly readers = new Map<VolumeId, (user: VolumeUser) => boolean>();
  readonly attachments = new Map<AttachmentId, { volume: VolumeId; server: ServerId }>();
  /** Who asked, in order. */
  readonly users: VolumeUser[] = [];
  #faults = new Map<string, ErrorCode>();
  #count = 0;

  add(id: string, facts: Partial<VolumeFacts> = {}): VolumeId {
    const volume = id as VolumeId;
    const base = {
      id: volume,
      status: 'available',
      size: gib(2),
      multiattach: false,
      bootable: false,
      migrationStatus: null,
      imageMetadata: {},
    };
    this.volumes.set(volume, { ...base, ...facts });
    return volume;
  }

  /** The next call of that kind for that volume or attachment fails so. */
  failNext(method: keyof VolumeApi, subject: string, code: ErrorCode): void {
    this.#faults.set(`${method} ${subject}`, code);
  }

  async volume(id: VolumeId, user: VolumeUser): Promise<VolumeFacts> {
    await this.#called('volume', id, user);
    const volume = this.volumes.get(id);
    const isReadable = this.readers.get(id)?.(user) ?? true;
    if (volume === undefined || !isReadable) throw new NovellaError('volume-not-found', `no volume ${id}`);
    return volume;
  }

  async createAttachment(id: VolumeId, server: ServerId, user: VolumeUser): Promise<AttachmentId> {
    await this.#called('createAttachment', id, user);
    const volume = await this.volume(id, user);
    if (volume.status !== 'available' && !volume.multiattach) throw new NovellaError('cinder-refused', 'not available');
    this.volumes.set(id, { ...volume, status: volume.multiattach ? 'in-use' : 'reserved' });
    this.#count += 1;
    const attachment = `a77ac000-0000-4000-8000-${String(this.#count).padStart(12, '0')}` as AttachmentId;
    this.attachments.set(attachment, { volume: id, server });
    return attachment;
  }

  async deleteAttachment(id: AttachmentId, user: VolumeUser): Promise<void> {
    await this.#called('deleteAttachment', id, user);
    const attachment = this.attachments.get(id);
    if (attachment === undefined) return;
    this.attachments.delete(id);
    const volume = this.volumes.get(attachment.volume);
    if (volume !== undefined) this.volumes.set(volume.id, { ...volume, status: 'available' });
  }

  async #called(method: keyof VolumeApi, subject: string, user: VolumeUser): Promise<void> {
    await Promise.resolve();
    this.users.push(user);
    const key = `${method} ${subject}`;
    const fault = this.#faults.get(key);
    this.#faults.delete(key);
    if (fault !== undefined) throw new NovellaError(fault, `put in by the test: ${fault}`);
  }
}
