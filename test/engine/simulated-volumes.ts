import {
  type AttachmentId,
  type Clock,
  type ConnectionInfo,
  type ErrorCode,
  type GiB,
  gib,
  type Millis,
  millis,
  NovellaError,
  type ServerId,
  type VolumeId,
} from '@novella/core';
import { CONNECTION } from '@novella/testing';
import type { Connected, VolumeService } from '../../apps/conductor/src/volume-service.js';

export interface SimulatedAttachment {
  readonly volume: VolumeId;
  readonly server: ServerId;
  state: 'reserved' | 'attaching' | 'attached';
}

/** A volume service for specs of the engine. It keeps state, so that what is done twice shows. */
export class SimulatedVolumes implements VolumeService {
  readonly sizes = new Map<VolumeId, GiB>();
  readonly records = new Map<AttachmentId, SimulatedAttachment>();
  readonly detaching = new Set<VolumeId>();
  /** Volumes whose growth, to so much, is left to the host that has them. */
  readonly extending = new Map<VolumeId, GiB>();
  /** How such growths ended, as it was told. */
  readonly ends: ('grown' | 'failed')[] = [];
  /** How hosts are told to reach the volumes. */
  connectionInfo: ConnectionInfo = CONNECTION;
  readonly deleted: VolumeId[] = [];
  /** What Cinder hands out for the host alone, with any volume. */
  secret: Readonly<Record<string, string>> | null = null;
  /** What opens volumes that are encrypted; null: the storage does. */
  passphrase: Readonly<Record<string, string>> | null = null;
  /** What must never happen, and did. */
  readonly wrongs: string[] = [];
  refuse: { readonly call: keyof VolumeService; readonly code: ErrorCode; times: number } | null = null;
  /** How long Cinder needs to connect one attachment. */
  connecting: Millis = millis(0);
  /** Attachments in the order in which Cinder was asked to connect them. */
  readonly connects: AttachmentId[] = [];
  private next = 1;

  /** `inGuest` tells whether a guest still has the volume as a disk. */
  constructor(
    private readonly clock: Clock,
    private readonly inGuest: (server: ServerId, volume: VolumeId) => boolean,
  ) {}

  /** What nova-api does before it confirms a reservation. */
  reserve(volume: VolumeId, server: ServerId): AttachmentId {
    const id = `a0000000-0000-4000-8000-${String(this.next++).padStart(12, '0')}` as AttachmentId;
    this.records.set(id, { volume, server, state: 'reserved' });
    return id;
  }

  sizeOf(volume: VolumeId): GiB {
    return this.sizes.get(volume) ?? gib(1);
  }

  volume(_project: unknown, volume: VolumeId) {
    const extendingTo = () => this.extending.get(volume) ?? null;
    const inUse = () => (extendingTo() === null ? 'in-use' : 'extending');
    const status = () => (this.detaching.has(volume) ? 'detaching' : inUse());
    return this.answer('volume', () => ({ size: this.sizeOf(volume), status: status(), extendingTo: extendingTo() }));
  }

  attachments(_project: unknown, volume: VolumeId, server: ServerId) {
    const ours = () => [...this.records].filter(([, at]) => at.volume === volume && at.server === server);
    return this.answer('attachments', () => ours().map(([id]) => id));
  }

  async connectAttachment(_project: unknown, attachment: AttachmentId): Promise<Connected> {
    this.connects.push(attachment);
    if (this.connecting > 0) await this.clock.sleep(this.connecting);
    return this.answer('connectAttachment', () => {
      const record = this.known(attachment);
      if (record.state === 'attached') this.wrongs.push(`${record.volume} was connected anew while it was attached`);
      record.state = 'attaching';
      return { connection: this.connectionInfo, secret: this.secret };
    });
  }

  connection(_project: unknown, attachment: AttachmentId): Promise<Connected | null> {
    return this.answer('connection', () => {
      return this.known(attachment).state === 'reserved'
        ? null
        : { connection: this.connectionInfo, secret: this.secret };
    });
  }

  completeAttachment(_project: unknown, attachment: AttachmentId) {
    return this.answer('completeAttachment', () => void (this.known(attachment).state = 'attached'));
  }

  deleteAttachment(_project: unknown, attachment: AttachmentId) {
    return this.answer('deleteAttachment', () => {
      const record = this.records.get(attachment);
      if (record === undefined) return;
      if (this.inGuest(record.server, record.volume)) {
        this.wrongs.push(`the attachment of ${record.volume} was deleted while the guest had the disk`);
      }
      this.records.delete(attachment);
      this.detaching.delete(record.volume);
    });
  }

  beginDetaching(_project: unknown, volume: VolumeId) {
    return this.answer('beginDetaching', () => void this.detaching.add(volume));
  }

  rollDetaching(_project: unknown, volume: VolumeId) {
    return this.answer('rollDetaching', () => void this.detaching.delete(volume));
  }

  encryption() {
    return this.answer('encryption', () => this.passphrase);
  }

  completeExtend(_project: unknown, volume: VolumeId, size: GiB, end: 'grown' | 'failed') {
    return this.answer('completeExtend', () => {
      if (this.extending.get(volume) !== size) return;
      this.extending.delete(volume);
      this.ends.push(end);
      if (end === 'grown') this.sizes.set(volume, size);
    });
  }

  deleteVolume(_project: unknown, volume: VolumeId) {
    return this.answer('deleteVolume', () => void this.deleted.push(volume));
  }

  async *volumesThatAre(status: 'in-use' | 'attaching') {
    const attaching = new Set(
      [...this.records.values()].flatMap((at) => (at.state === 'attaching' ? [at.volume] : [])),
    );
    const listed = () => [...this.sizes].filter(([id]) => attaching.has(id) === (status === 'attaching'));
    yield await this.answer('volumesThatAre', () => listed().map(([id, size]) => ({ id, size })));
  }

  private known(id: AttachmentId): SimulatedAttachment {
    const record = this.records.get(id);
    if (record === undefined) throw new NovellaError('cinder-refused', 'no such attachment');
    return record;
  }

  private async answer<T>(call: keyof VolumeService, work: () => T): Promise<T> {
    await Promise.resolve();
    if (this.refuse?.call === call && this.refuse.times > 0) {
      this.refuse.times -= 1;
      throw new NovellaError(this.refuse.code, 'refused by the test');
    }
    return work();
  }
}
