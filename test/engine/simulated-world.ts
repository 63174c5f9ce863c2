import type { ClientOf, CommandToken, computeRpc, OperationResult, Outcome, VolumeDisk } from '@novella/contracts';
import {
  type AttachmentId,
  type ConnectionInfo,
  ERRORS,
  type ErrorCode,
  type GiB,
  gib,
  gibToBytes,
  NovellaError,
  type ServerId,
  type VolumeId,
} from '@novella/core';
import { CONNECTION, HOST } from '@novella/testing';
import type { VolumeService } from '../../apps/conductor/src/volume-service.js';

/** A volume service and a host for specs of the engine. Both keep state, so that what is done twice shows. */
export interface SimulatedAttachment {
  readonly volume: VolumeId;
  readonly server: ServerId;
  state: 'reserved' | 'attaching' | 'attached';
}

export class SimulatedVolumes implements VolumeService {
  readonly sizes = new Map<VolumeId, GiB>();
  readonly records = new Map<AttachmentId, SimulatedAttachment>();
  readonly deleted: VolumeId[] = [];
  refuse: { readonly call: keyof VolumeService; readonly code: ErrorCode } | null = null;
  private next = 1;

  /** What nova-api does before it confirms a reservation. */
  reserve(volume: VolumeId, server: ServerId): AttachmentId {
    const id = `a0000000-0000-4000-8000-${String(this.next++).padStart(12, '0')}` as AttachmentId;
    this.records.set(id, { volume, server, state: 'reserved' });
    return id;
  }

  volume(_project: unknown, volume: VolumeId) {
    return this.answer('volume', () => ({ size: this.sizes.get(volume) ?? gib(1), status: 'in-use' }));
  }

  attachments(_project: unknown, volume: VolumeId, server: ServerId) {
    const ours = () => [...this.records].filter(([, at]) => at.volume === volume && at.server === server);
    return this.answer('attachments', () => ours().map(([id]) => id));
  }

  connectAttachment(_project: unknown, attachment: AttachmentId): Promise<ConnectionInfo> {
    return this.answer('connectAttachment', () => {
      const record = this.known(attachment);
      if (record.state === 'reserved') record.state = 'attaching';
      return CONNECTION;
    });
  }

  completeAttachment(_project: unknown, attachment: AttachmentId) {
    return this.answer('completeAttachment', () => void (this.known(attachment).state = 'attached'));
  }

  deleteAttachment(_project: unknown, attachment: AttachmentId) {
    return this.answer('deleteAttachment', () => void this.records.delete(attachment));
  }

  deleteVolume(_project: unknown, volume: VolumeId) {
    return this.answer('deleteVolume', () => void this.deleted.push(volume));
  }

  async *volumesInUse() {
    yield await this.answer('volumesInUse', () => [...this.sizes].map(([id, size]) => ({ id, size })));
  }

  private known(id: AttachmentId): SimulatedAttachment {
    const record = this.records.get(id);
    if (record === undefined) throw new NovellaError('cinder-refused', 'no such attachment');
    return record;
  }

  private async answer<T>(call: keyof VolumeService, work: () => T): Promise<T> {
    await Promise.resolve();
    if (this.refuse?.call === call) throw new NovellaError(this.refuse.code, 'refused by the test');
    return work();
  }
}

type Method = keyof ClientOf<typeof computeRpc>;

/** Acts on a command once it was sent, and answers in a later turn. A command with a lower fence than the last is stale. */
export class SimulatedHost {
  readonly guests = new Map<ServerId, Set<VolumeId>>();
  /** Sizes that the guest was shown, in order: none may be smaller than the one before. */
  readonly shown: number[] = [];
  fails: { readonly method: Method; readonly code: ErrorCode; times: number } | null = null;
  /** Loses the answer of so many commands. */
  losesAnswers = 0;
  private highest = 0;

  constructor(private readonly deliver: (result: OperationResult) => void) {}

  client(): ClientOf<typeof computeRpc> {
    const take = (method: Method, token: CommandToken, act: () => Outcome) => {
      const outcome = this.outcome(method, token, act);
      if (this.losesAnswers > 0) this.losesAnswers -= 1;
      else setImmediate(() => this.deliver({ host: HOST, token, outcome }));
      return Promise.resolve();
    };
    return {
      build_instance: ({ token, server, volumes }) =>
        take('build_instance', token, () => {
          this.guests.set(server, new Set(volumes.map(({ volume }) => volume)));
          return { status: 'built', powerState: 'running', disks: volumes.map(measured) };
        }),
      delete_instance: ({ token, server }) =>
        take('delete_instance', token, () => {
          this.guests.delete(server);
          return { status: 'deleted' };
        }),
      attach_volume: ({ token, server, disk }) =>
        take('attach_volume', token, () => {
          this.guests.get(server)?.add(disk.volume);
          return { status: 'attached', disk: measured(disk) };
        }),
      detach_volume: ({ token, server, disk }) =>
        take('detach_volume', token, () => {
          this.guests.get(server)?.delete(disk.volume);
          return { status: 'detached' };
        }),
      extend_volume: ({ token, wantedBytes }) =>
        take('extend_volume', token, () => {
          this.shown.push(wantedBytes);
          return { status: 'grown', hostBytes: wantedBytes, guestBytes: wantedBytes };
        }),
      ping: () => Promise.resolve({ host: HOST, uptimeS: 1 }),
    };
  }

  private outcome(method: Method, { fence }: CommandToken, act: () => Outcome): Outcome {
    if (fence < this.highest) return { status: 'stale' };
    this.highest = fence;
    if (this.fails?.method === method && this.fails.times > 0) {
      this.fails.times -= 1;
      const { code } = this.fails;
      return { status: 'failed', error: { code, grade: ERRORS[code], message: code, facts: {} } };
    }
    return act();
  }
}

const measured = ({ volume }: VolumeDisk) => {
  const size = gibToBytes(gib(1));
  return { volume, hostBytes: size, guestBytes: size };
};
