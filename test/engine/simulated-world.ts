import type { ClientOf, CommandToken, computeRpc, OperationResult, Outcome, VolumeDisk } from '@novella/contracts';
import {
  type AttachmentId,
  type Clock,
  type ConnectionInfo,
  ERRORS,
  type ErrorCode,
  type GiB,
  gib,
  gibToBytes,
  type Millis,
  millis,
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

  volume(_project: unknown, volume: VolumeId) {
    return this.answer('volume', () => ({ size: this.sizes.get(volume) ?? gib(1), status: 'in-use' }));
  }

  attachments(_project: unknown, volume: VolumeId, server: ServerId) {
    const ours = () => [...this.records].filter(([, at]) => at.volume === volume && at.server === server);
    return this.answer('attachments', () => ours().map(([id]) => id));
  }

  async connectAttachment(_project: unknown, attachment: AttachmentId): Promise<ConnectionInfo> {
    this.connects.push(attachment);
    if (this.connecting > 0) await this.clock.sleep(this.connecting);
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
    return this.answer('deleteAttachment', () => {
      const record = this.records.get(attachment);
      if (record !== undefined && this.inGuest(record.server, record.volume)) {
        this.wrongs.push(`the attachment of ${record.volume} was deleted while the guest had the disk`);
      }
      this.records.delete(attachment);
    });
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
    if (this.refuse?.call === call && this.refuse.times > 0) {
      this.refuse.times -= 1;
      throw new NovellaError(this.refuse.code, 'refused by the test');
    }
    return work();
  }
}

type Method = keyof ClientOf<typeof computeRpc>;

/**
 * Takes a command when it was sent, acts and answers in later turns. It remembers the highest fence per server and per
 * volume of it, as the compute's journal does: a command below it is stale.
 */
export class SimulatedHost {
  readonly guests = new Map<ServerId, Set<VolumeId>>();
  /** Devices that are connected here. */
  readonly devices = new Set<VolumeId>();
  /** Sizes that each volume's guest was shown, in order: none may be smaller than the one before. */
  readonly shown: { readonly volume: VolumeId; readonly bytes: number }[] = [];
  fails: { readonly method: Method; readonly code: ErrorCode; times: number } | null = null;
  /** Loses the answer of so many commands. */
  losesAnswers = 0;
  /** Takes so many commands without the sender hearing of it. */
  losesConfirms = 0;
  /** Commands of this kind do not fit their contract: nothing is sent. */
  refusesToSend: Method | null = null;
  /** Commands that were taken. */
  taken = 0;
  /** How long each of the next commands lies in the queue before the host begins with it. */
  readonly delays: Millis[] = [];
  private readonly highest = new Map<string, number>();

  constructor(
    private readonly clock: Clock,
    private readonly deliver: (result: OperationResult) => void,
  ) {}

  has(server: ServerId, volume: VolumeId): boolean {
    return this.guests.get(server)?.has(volume) ?? false;
  }

  client(): ClientOf<typeof computeRpc> {
    return {
      build_instance: ({ token, server, volumes }) =>
        this.take('build_instance', token, server, null, () => {
          const ids = volumes.map(({ volume }) => volume);
          this.guests.set(server, new Set(ids));
          for (const id of ids) this.devices.add(id);
          return { status: 'built', powerState: 'running', disks: volumes.map(measured) };
        }),
      delete_instance: ({ token, server, volumes }) =>
        this.take('delete_instance', token, server, null, () => {
          this.guests.delete(server);
          for (const { volume } of volumes) this.devices.delete(volume);
          return { status: 'deleted' };
        }),
      attach_volume: ({ token, server, disk }) =>
        this.take('attach_volume', token, server, disk.volume, () => {
          const guest = this.guests.get(server);
          if (guest === undefined) return failed('domain-not-found');
          guest.add(disk.volume);
          this.devices.add(disk.volume);
          return { status: 'attached', disk: measured(disk) };
        }),
      detach_volume: ({ token, server, disk }) =>
        this.take('detach_volume', token, server, disk.volume, () => {
          this.guests.get(server)?.delete(disk.volume);
          this.devices.delete(disk.volume);
          return { status: 'detached' };
        }),
      extend_volume: ({ token, server, volume, wantedBytes }) =>
        this.take('extend_volume', token, server, volume, () => {
          if (!this.has(server, volume)) return failed('volume-detached');
          this.shown.push({ volume, bytes: wantedBytes });
          return { status: 'grown', hostBytes: wantedBytes, guestBytes: wantedBytes };
        }),
      ping: () => Promise.resolve({ host: HOST, uptimeS: 1 }),
    };
  }

  private take(method: Method, token: CommandToken, server: ServerId, volume: VolumeId | null, act: () => Outcome) {
    const work = () => {
      const outcome = this.outcome(method, token, server, volume, act);
      if (this.losesAnswers > 0) this.losesAnswers -= 1;
      else setImmediate(() => this.deliver({ host: HOST, token, outcome }));
    };
    if (method === this.refusesToSend) {
      return Promise.reject(new NovellaError('rpc-message-invalid', 'the arguments do not fit'));
    }
    this.taken += 1;
    const delay = this.delays.shift();
    if (delay === undefined) work();
    else void this.clock.sleep(delay).then(work);
    if (this.losesConfirms === 0) return Promise.resolve();
    this.losesConfirms -= 1;
    return Promise.reject(new NovellaError('broker-unreachable', 'the link went down before the broker answered'));
  }

  private outcome(
    method: Method,
    { fence }: CommandToken,
    server: ServerId,
    volume: VolumeId | null,
    act: () => Outcome,
  ): Outcome {
    const key = `${server} ${volume ?? ''}`;
    const highest = Math.max(this.highest.get(key) ?? 0, this.highest.get(`${server} `) ?? 0);
    if (fence < highest) return { status: 'stale' };
    this.highest.set(key, fence);
    if (this.fails?.method === method && this.fails.times > 0) {
      this.fails.times -= 1;
      return failed(this.fails.code);
    }
    return act();
  }
}

const failed = (code: ErrorCode): Outcome => ({
  status: 'failed',
  error: { code, grade: ERRORS[code], message: code, facts: {} },
});

const measured = ({ volume }: VolumeDisk) => {
  const size = gibToBytes(gib(1));
  return { volume, hostBytes: size, guestBytes: size };
};
