import type { ClientOf, CommandToken, computeRpc, OperationResult, Outcome, VolumeDisk } from '@novella/contracts';
import {
  type AttachmentId,
  type Bytes,
  bytes,
  type Clock,
  ERRORS,
  type ErrorCode,
  type HostName,
  type Millis,
  NovellaError,
  type PowerState,
  type ServerId,
  type VolumeId,
} from '@novella/core';
import { HOST } from '@novella/testing';

type Method = keyof ClientOf<typeof computeRpc>;
/** What becomes of one command: whether and how often the host acts, and what it then answers, and when. */
export type Luck = (act: () => Outcome, answer: (outcome: Outcome, after?: Millis) => void, clock: Clock) => void;

export interface SimulatedGuest {
  power: Extract<PowerState, 'running' | 'paused' | 'saved' | 'shutdown'>;
  /** What it knows of each of its disks, from its start or from what it was told since. */
  readonly disks: Map<VolumeId, Bytes>;
}

/** What the host is outside of what it was told. */
export interface SimulatedHostIo {
  readonly clock: Clock;
  readonly deliver: (result: OperationResult) => void;
  /** How large the storage has made the volume. */
  readonly storage: (volume: VolumeId) => Bytes;
  readonly name?: HostName;
}

/**
 * Takes a command when it was sent, acts and answers in later turns. It remembers the highest fence per server and per
 * volume of it, as the compute's journal does: a command below it is stale.
 */
export class SimulatedHost {
  readonly guests = new Map<ServerId, SimulatedGuest>();
  /** Devices that are connected here. */
  readonly devices = new Set<VolumeId>();
  /** Sizes that each volume's guest was shown, in order: none may be smaller than the one before. */
  readonly shown: { readonly server: ServerId; readonly volume: VolumeId; readonly bytes: number }[] = [];
  fails: { readonly method: Method; readonly code: ErrorCode; times: number } | null = null;
  /** Loses the answer of so many commands. */
  losesAnswers = 0;
  /** Takes so many commands without the sender hearing of it. */
  losesConfirms = 0;
  /** How the sending of each of the next commands ends: there is no queue, or it is taken and nobody hears of it. */
  readonly sending: ('no queue' | 'not heard' | null)[] = [];
  /** Commands of this kind do not fit their contract: nothing is sent. */
  refusesToSend: Method | null = null;
  /** A guest that starts sees the size that it knew, until it is told another. */
  startsBehind = false;
  /** What it can open of the secrets that commands carry; throws when it cannot. */
  unseal: ((sealed: string, boundTo: AttachmentId) => unknown) | null = null;
  /** What becomes of each of the next commands; null: the host acts once and answers once. */
  readonly luck: (Luck | null)[] = [];
  /** Takes commands and lets them lie. */
  hangs = false;
  /** Commands that were taken, by name. */
  readonly taken: Method[] = [];
  /** How long each of the next commands lies in the queue before the host begins with it. */
  readonly delays: Millis[] = [];
  readonly name: HostName;
  private readonly highest = new Map<string, number>();
  /** What the hypervisor shows of the disks of a guest that goes on from saved memory, until it is told. */
  private readonly untold = new Map<string, Bytes>();

  constructor(private readonly io: SimulatedHostIo) {
    this.name = io.name ?? HOST;
  }

  has(server: ServerId, volume: VolumeId): boolean {
    return this.guests.get(server)?.disks.has(volume) ?? false;
  }

  client(): ClientOf<typeof computeRpc> {
    return {
      build_instance: ({ token, server, volumes }) =>
        this.take('build_instance', token, server, volumes, null, () => {
          const disks = this.guests.get(server)?.disks ?? new Map<VolumeId, Bytes>();
          for (const { volume } of volumes) disks.set(volume, this.io.storage(volume));
          this.guests.set(server, { power: 'running', disks });
          return { status: 'built', powerState: 'running', disks: this.measure(server, volumes) };
        }),
      delete_instance: ({ token, server, volumes }) =>
        this.take('delete_instance', token, server, [], null, () => {
          this.guests.delete(server);
          for (const { volume } of volumes) this.devices.delete(volume);
          return { status: 'deleted' };
        }),
      attach_volume: ({ token, server, disk }) =>
        this.take('attach_volume', token, server, [disk], disk.volume, () => {
          const guest = this.guests.get(server);
          if (guest === undefined) return failed('domain-not-found');
          guest.disks.set(disk.volume, this.io.storage(disk.volume));
          const [measured] = this.measure(server, [disk]);
          return measured === undefined ? failed('internal') : { status: 'attached', disk: measured };
        }),
      detach_volume: ({ token, server, disk }) =>
        this.take('detach_volume', token, server, [], disk.volume, () => {
          this.guests.get(server)?.disks.delete(disk.volume);
          this.devices.delete(disk.volume);
          return { status: 'detached' };
        }),
      extend_volume: ({ token, server, volume, wantedBytes, seenBytes }) =>
        this.take('extend_volume', token, server, [], volume, () => {
          const guest = this.guests.get(server);
          if (guest === undefined || !this.has(server, volume)) return failed('volume-detached');
          if (!isLive(guest)) return { status: 'grown', hostBytes: wantedBytes, guestBytes: null };
          this.shown.push({ server, volume, bytes: wantedBytes });
          const isShown = (this.untold.get(`${server} ${volume}`) ?? 0) >= wantedBytes;
          if (isShown && seenBytes !== null && seenBytes >= wantedBytes) {
            return { status: 'grown', hostBytes: wantedBytes, guestBytes: wantedBytes };
          }
          this.tell(server, guest, volume, wantedBytes);
          return { status: 'grown', hostBytes: wantedBytes, guestBytes: wantedBytes };
        }),
      start_instance: ({ token, server, volumes }) =>
        this.power('start_instance', token, server, volumes, (guest) => {
          if (!isLive(guest)) this.boot(server, guest);
        }),
      stop_instance: ({ token, server, volumes }) =>
        this.power('stop_instance', token, server, volumes, (guest) => (guest.power = 'shutdown')),
      reboot_instance: ({ token, server, volumes }) =>
        this.power('reboot_instance', token, server, volumes, (guest) => this.boot(server, guest)),
      pause_instance: ({ token, server, volumes }) =>
        this.power('pause_instance', token, server, volumes, (guest) => {
          if (guest.power === 'running') guest.power = 'paused';
        }),
      unpause_instance: ({ token, server, volumes }) =>
        this.power('unpause_instance', token, server, volumes, (guest) => {
          if (guest.power === 'paused') guest.power = 'running';
        }),
      suspend_instance: ({ token, server, volumes }) =>
        this.power('suspend_instance', token, server, volumes, (guest) => {
          if (isLive(guest)) guest.power = 'saved';
        }),
      resume_instance: ({ token, server, volumes }) =>
        this.power('resume_instance', token, server, volumes, (guest) => {
          if (guest.power === 'shutdown') this.boot(server, guest);
          if (guest.power === 'saved') {
            for (const volume of guest.disks.keys()) this.untold.set(`${server} ${volume}`, this.io.storage(volume));
          }
          guest.power = 'running';
        }),
      ping: () => Promise.resolve({ host: this.name, uptimeS: 1 }),
      console_output: () => Promise.resolve({ output: '' }),
    };
  }

  private power(
    method: Method,
    token: CommandToken,
    server: ServerId,
    volumes: readonly VolumeDisk[],
    change: (guest: SimulatedGuest) => void,
  ) {
    return this.take(method, token, server, volumes, null, () => {
      const guest = this.guests.get(server);
      if (guest === undefined) return failed('domain-not-found');
      change(guest);
      return { status: 'powered', powerState: guest.power, disks: this.measure(server, volumes) };
    });
  }

  private boot(server: ServerId, guest: SimulatedGuest): void {
    guest.power = 'running';
    if (this.startsBehind) return;
    for (const volume of guest.disks.keys()) this.tell(server, guest, volume, this.io.storage(volume));
  }

  private tell(server: ServerId, guest: SimulatedGuest, volume: VolumeId, size: Bytes): void {
    guest.disks.set(volume, size);
    this.untold.delete(`${server} ${volume}`);
  }

  private measure(server: ServerId, volumes: readonly VolumeDisk[]) {
    const guest = this.guests.get(server);
    return volumes.map(({ volume }) => ({
      volume,
      hostBytes: this.io.storage(volume),
      guestBytes:
        guest !== undefined && isLive(guest)
          ? (this.untold.get(`${server} ${volume}`) ?? guest.disks.get(volume) ?? bytes(0))
          : null,
    }));
  }

  /** `opens`: the volumes that the command connects first, for which it needs their secrets. */
  private take(
    method: Method,
    token: CommandToken,
    server: ServerId,
    opens: readonly VolumeDisk[],
    volume: VolumeId | null,
    act: () => Outcome,
  ) {
    const actOnce = (): Outcome => this.outcome(method, token, server, opens, volume, act);
    const answer = (outcome: Outcome, after?: Millis): void => {
      const deliver = () => this.io.deliver({ host: this.name, token, outcome });
      if (after === undefined) setImmediate(deliver);
      else void this.io.clock.sleep(after).then(deliver);
    };
    const luck = this.luck.shift() ?? null;
    const work = () => {
      if (luck !== null) {
        luck(actOnce, answer, this.io.clock);
        return;
      }
      const outcome = actOnce();
      if (this.losesAnswers > 0) this.losesAnswers -= 1;
      else answer(outcome);
    };
    if (method === this.refusesToSend) {
      return Promise.reject(new NovellaError('rpc-message-invalid', 'the arguments do not fit'));
    }
    const sent = this.sending.shift() ?? null;
    if (sent === 'no queue') return Promise.reject(new NovellaError('rpc-no-route', 'the host has no queue'));
    this.taken.push(method);
    const delay = this.delays.shift();
    if (this.hangs) return Promise.resolve();
    if (delay === undefined) work();
    else void this.io.clock.sleep(delay).then(work);
    if (this.losesConfirms === 0 && sent === null) return Promise.resolve();
    if (sent === null) this.losesConfirms -= 1;
    return Promise.reject(new NovellaError('broker-unreachable', 'the link went down before the broker answered'));
  }

  private outcome(
    method: Method,
    { fence }: CommandToken,
    server: ServerId,
    opens: readonly VolumeDisk[],
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
    for (const disk of opens) {
      if (!this.canOpen(disk)) return failed('secret-unreadable');
      this.devices.add(disk.volume);
    }
    return act();
  }

  private canOpen({ sealedSecret, attachment }: VolumeDisk): boolean {
    if (this.unseal === null || sealedSecret === null) return true;
    try {
      this.unseal(sealedSecret, attachment);
      return true;
    } catch {
      return false;
    }
  }
}

const isLive = ({ power }: SimulatedGuest): boolean => power === 'running' || power === 'paused';

const failed = (code: ErrorCode): Outcome => ({
  status: 'failed',
  error: { code, grade: ERRORS[code], message: code, facts: {} },
});
