import {
  type AttachmentId,
  bytes,
  type ConnectionInfo,
  type ErrorCode,
  type GiB,
  gib,
  gibToBytes,
  type Millis,
  NovellaError,
  type ServerId,
  type VolumeId,
} from '@novella/core';
import type { VolumeService, VolumeState } from '../../apps/conductor/src/volume-service.js';
import type { VolumeApi } from '../../apps/nova-api/src/volume-api.js';
import type { Chance } from './chance.js';
import type { Storage } from './storage.js';

export interface Volume {
  readonly id: VolumeId;
  readonly path: string;
  readonly format: 'raw' | 'qcow2';
  size: GiB;
  detaching: boolean;
  /** What the host shall grow it to. */
  extendingTo: GiB | null;
  deleted: boolean;
  /** Every size that it ever had, the wanted ones of `extendingTo` among them. */
  readonly sizes: Set<number>;
}

export interface Attachment {
  readonly volume: VolumeId;
  readonly server: ServerId;
  state: 'reserved' | 'attaching' | 'attached';
}

/** Cinder with its database: what is asked twice, late or not at all shows in it. Faults are put before it. */
export class Cinder {
  readonly volumes = new Map<VolumeId, Volume>();
  readonly attachments = new Map<AttachmentId, Attachment>();
  /** What must never be asked, and was. */
  readonly wrongs: string[] = [];
  /** How many growths that were left to a host were told as ended, by volume and size. */
  readonly completed = new Map<string, number>();

  constructor(
    private readonly chance: Chance,
    private readonly storage: Storage,
    private readonly guestHas: (server: ServerId, volume: VolumeId) => Promise<boolean>,
  ) {}

  make(format: 'raw' | 'qcow2'): Volume {
    const id = this.chance.uuid() as VolumeId;
    const path = `/volumes/volume-${id}`;
    const volume: Volume = {
      id,
      path,
      format,
      size: gib(1),
      detaching: false,
      extendingTo: null,
      deleted: false,
      sizes: new Set([gibToBytes(gib(1))]),
    };
    this.volumes.set(id, volume);
    this.storage.make(path, format, volume.size);
    return volume;
  }

  statusOf(volume: Volume): string {
    const held = this.attachmentsOf(volume.id).map(([, { state }]) => state);
    if (volume.detaching) return 'detaching';
    if (volume.extendingTo !== null) return 'extending';
    if (held.includes('attaching')) return 'attaching';
    if (held.includes('attached')) return 'in-use';
    return held.length > 0 ? 'reserved' : 'available';
  }

  attachmentsOf(volume: VolumeId): [AttachmentId, Attachment][] {
    return [...this.attachments].filter(([, attachment]) => attachment.volume === volume);
  }

  /** A user grows a volume that is in use. A qcow2 file is left to its host. Null: not now. */
  grow(id: VolumeId, by: number, seenAfter: Millis): GiB | null {
    const volume = this.find(id);
    if (this.statusOf(volume) !== 'in-use') return null;
    const size = gib(volume.size + by);
    volume.sizes.add(gibToBytes(size));
    if (volume.format === 'qcow2') {
      volume.extendingTo = size;
    } else {
      volume.size = size;
      this.storage.grow(volume.path, gibToBytes(size), seenAfter);
    }
    return size;
  }

  /** Nobody has taken the event: Cinder ends the growth itself. */
  giveUpGrowing(id: VolumeId): void {
    this.find(id).extendingTo = null;
  }

  connectionOf(volume: Volume): ConnectionInfo {
    return { protocol: 'local', devicePath: volume.path, format: volume.format, accessMode: 'rw', encrypted: false };
  }

  /**
   * Somebody sends off what connects an attachment. One that is attached by then must be left alone; a request of a process
   * that has died meanwhile may still come in after its successor is done, and the end shows whether that was mended.
   */
  connects(id: AttachmentId): void {
    const isAttached = this.attachments.get(id)?.state === 'attached';
    if (isAttached) this.wrongs.push(`attachment ${id} was connected anew while attached`);
  }

  /** What the conductor asks. */
  readonly service: VolumeService = {
    encryption: () => Promise.resolve(null),
    volume: (_project, id) => answer(() => this.stateOf(this.find(id))),
    attachments: (_project, volume, server) =>
      answer(() =>
        this.attachmentsOf(volume)
          .filter(([, attachment]) => attachment.server === server)
          .map(([id]) => id),
      ),
    connectAttachment: (_project, id) =>
      answer(() => {
        const attachment = this.known(id);
        attachment.state = 'attaching';
        return { connection: this.connectionOf(this.find(attachment.volume)), secret: null };
      }),
    connection: (_project, id) =>
      answer(() => {
        const { state, volume } = this.known(id);
        return state === 'reserved' ? null : { connection: this.connectionOf(this.find(volume)), secret: null };
      }),
    completeAttachment: (_project, id) =>
      answer(() => {
        this.known(id).state = 'attached';
      }),
    deleteAttachment: async (_project, id) => {
      const attachment = this.attachments.get(id);
      if (attachment === undefined) return;
      const { server, volume } = attachment;
      if (await this.guestHas(server, volume)) {
        this.wrongs.push(`the attachment of ${volume} to ${server} was deleted while the guest had the disk`);
      }
      this.attachments.delete(id);
      const of = this.volumes.get(volume);
      // As cinder:cinder/volume/api.py attachment_delete: without attachments it is available, whatever it was.
      if (of !== undefined) of.detaching = false;
      if (of !== undefined && this.attachmentsOf(volume).length === 0) of.extendingTo = null;
    },
    beginDetaching: (_project, id) =>
      answer(() => {
        const volume = this.find(id);
        const status = this.statusOf(volume);
        if (status !== 'in-use' && status !== 'detaching') throw refused(`the volume is ${status}`);
        volume.detaching = true;
      }),
    rollDetaching: (_project, id) =>
      answer(() => {
        const volume = this.volumes.get(id);
        if (volume !== undefined) volume.detaching = false;
      }),
    completeExtend: (_project, id, size, end) =>
      answer(() => {
        const volume = this.find(id);
        if (volume.extendingTo !== size) return;
        volume.extendingTo = null;
        if (end === 'failed') return;
        volume.size = size;
        const growth = `${id} ${size}`;
        this.completed.set(growth, (this.completed.get(growth) ?? 0) + 1);
        const stored = this.storage.bytesOf(volume.path);
        if (stored < gibToBytes(size)) this.wrongs.push(`${id} was told grown to ${size} GiB and has ${stored} bytes`);
      }),
    deleteVolume: (_project, id) =>
      answer(() => {
        const volume = this.volumes.get(id);
        if (volume === undefined || volume.deleted) return;
        if (this.attachmentsOf(id).length > 0) throw refused('the volume is attached');
        volume.deleted = true;
      }),
    volumesThatAre: (status) => this.listed(status),
  };

  /** What nova-api asks. */
  readonly api: VolumeApi = {
    volume: (id) =>
      answer(() => {
        const volume = this.find(id);
        const status = this.statusOf(volume);
        return {
          id,
          status,
          size: volume.size,
          multiattach: false,
          bootable: true,
          migrationStatus: null,
          imageMetadata: {},
        };
      }),
    createAttachment: (volume, server) =>
      answer(() => {
        const status = this.statusOf(this.find(volume));
        if (status !== 'available') throw refused(`the volume is ${status}`);
        const id = this.chance.uuid() as AttachmentId;
        this.attachments.set(id, { volume, server, state: 'reserved' });
        return id;
      }),
    deleteAttachment: (id) => this.service.deleteAttachment('' as never, id),
  };

  private async *listed(status: 'in-use' | 'attaching') {
    await Promise.resolve();
    yield [...this.volumes.values()]
      .filter((volume) => !volume.deleted && this.statusOf(volume) === status)
      .map(({ id, size }) => ({ id, size }));
  }

  private stateOf(volume: Volume): VolumeState {
    const { size, extendingTo } = volume;
    return { size, status: this.statusOf(volume), extendingTo };
  }

  private find(id: VolumeId): Volume {
    const volume = this.volumes.get(id);
    if (volume === undefined || volume.deleted) throw new NovellaError('volume-not-found', 'there is no such volume');
    return volume;
  }

  private known(id: AttachmentId): Attachment {
    const attachment = this.attachments.get(id);
    if (attachment === undefined) throw refused('there is no such attachment');
    return attachment;
  }
}

/** The bytes that a guest shall see of a volume of that size. */
export const bytesOf = (size: GiB) => bytes(gibToBytes(size));

async function answer<T>(work: () => T): Promise<T> {
  await Promise.resolve();
  return work();
}

const refused = (message: string): NovellaError => new NovellaError('cinder-refused' satisfies ErrorCode, message);
