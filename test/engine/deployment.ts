import {
  type BlockDeviceMappingId,
  type GiB,
  gib,
  gibToBytes,
  minutes,
  type ProjectId,
  type RequestId,
  seconds,
  type UserId,
  type VolumeId,
} from '@novella/core';
import type { OperationResult } from '@novella/contracts';
import { openMemoryStore, type ServiceReportInput, type Store } from '@novella/persistence';
import { MAPPING, newInstance, SERVER, service, VOLUME, virtualClock } from '@novella/testing';
import { SimulatedHost } from './simulated-host.js';
import { SimulatedVolumes } from './simulated-volumes.js';

const PROJECT = 'd'.repeat(32) as ProjectId;
/** A volume that is attached to the server after it was built. */
export const DATA = '88888888-8888-4888-8888-888888888888' as VolumeId;
const DATA_MAPPING = '99999999-9999-4999-8999-999999999999' as BlockDeviceMappingId;

const MAPPING_INPUT = {
  size: gib(1),
  bus: 'virtio',
  device: null,
  bootIndex: null,
  tag: null,
  deleteOnTermination: false,
  multiattach: false,
} as const;

/** As nova:nova/compute/api.py checks them. */
export const POWER_REQUESTS = {
  start: {
    kind: 'start',
    request: {},
    from: { vmStates: ['stopped'], taskStates: [null] },
    taskState: 'powering-on',
  },
  stop: {
    kind: 'stop',
    request: {},
    from: { vmStates: ['active', 'error'], taskStates: [null] },
    taskState: 'powering-off',
  },
  'soft reboot': {
    kind: 'reboot',
    request: { type: 'soft' },
    from: { vmStates: ['active'], taskStates: [null] },
    taskState: 'rebooting',
  },
  'hard reboot': {
    kind: 'reboot',
    request: { type: 'hard' },
    from: {
      vmStates: ['active', 'stopped', 'paused', 'suspended', 'error'],
      taskStates: [null, 'rebooting', 'rebooting_hard', 'pausing', 'unpausing', 'suspending', 'resuming'],
    },
    taskState: 'rebooting_hard',
  },
  pause: { kind: 'pause', request: {}, from: { vmStates: ['active'], taskStates: [null] }, taskState: 'pausing' },
  unpause: { kind: 'unpause', request: {}, from: { vmStates: ['paused'], taskStates: [null] }, taskState: 'unpausing' },
  suspend: {
    kind: 'suspend',
    request: {},
    from: { vmStates: ['active'], taskStates: [null] },
    taskState: 'suspending',
  },
  resume: { kind: 'resume', request: {}, from: { vmStates: ['suspended'], taskStates: [null] }, taskState: 'resuming' },
} as const;

/** A store, a volume service and a host, and what the API would accept; nobody works on it. */
export class Deployment {
  readonly clock = virtualClock();
  readonly store: Store = openMemoryStore({ serviceDownTime: minutes(600), clock: this.clock });
  readonly volumes: SimulatedVolumes = new SimulatedVolumes(this.clock, (server, volume) =>
    this.host.has(server, volume),
  );
  readonly host: SimulatedHost = new SimulatedHost({
    clock: this.clock,
    deliver: (result) => this.deliver(result),
    storage: (volume) => gibToBytes(this.volumes.sizeOf(volume)),
  });
  private requests = 0;
  protected deleting = false;
  protected readonly wrongs: string[] = [];

  /** Where the host's answers go. */
  protected deliver(result: OperationResult): void {
    throw new Error(`nobody takes the answer ${result.outcome.status}`);
  }

  async hostReports(over: Partial<ServiceReportInput> = {}): Promise<void> {
    const { host, binary, version, capabilities, connectorProperties, publicKey, hypervisor, capacity } = service();
    const report = { host, binary, version, capabilities, connectorProperties, publicKey, hypervisor, capacity };
    await this.store.reportService({ ...report, ...over });
  }

  /** What a user, Cinder and the host would see. */
  async snapshot() {
    const instance = await this.store.instanceEvenDeleted(SERVER);
    const mappings = (await this.store.blockDeviceMappings([SERVER])).get(SERVER) ?? [];
    const actions = await this.store.instanceActions(SERVER);
    const shown = await Promise.all(actions.map(({ requestId }) => this.store.instanceAction(SERVER, requestId)));
    const open = await this.store.operations({ open: true, limit: 10 });
    return {
      open: open.map(({ kind, state, step }) => ({ kind, state, step })),
      server: instance && {
        vmState: instance.vmState,
        taskState: instance.taskState,
        powerState: instance.powerState,
        host: instance.host,
        deleted: instance.deletedAt !== null,
        fault: instance.fault?.message ?? null,
      },
      mappings: mappings.map(({ volumeId, attachedAt, size, guestBytes }) => {
        return { volumeId, attached: attachedAt !== null, size, guestBytes };
      }),
      actions: shown.map((action) => ({
        action: action?.action,
        message: action?.message,
        events: action?.events.map(({ event, result, details }) => ({ event, result, details })),
      })),
      attachments: [...this.volumes.records.values()],
      detaching: [...this.volumes.detaching],
      extending: [...this.volumes.extending],
      extendsTold: this.volumes.ends,
      deletedVolumes: new Set(this.volumes.deleted),
      guests: [...this.host.guests].map(([server, { power, disks }]) => ({
        server,
        power,
        volumes: [...disks.keys()],
        knows: [...disks.values()],
      })),
      devices: [...this.host.devices],
      wrongs: [...this.wrongs, ...this.volumes.wrongs, ...this.shrunk()],
    };
  }

  requester() {
    this.requests += 1;
    return {
      requestId: `req-00000000-0000-4000-8000-${String(this.requests).padStart(12, '0')}` as RequestId,
      userId: 'admin' as UserId,
      projectId: PROJECT,
    };
  }

  /** nova-api accepts a server that boots from a volume; `confirmed`: it lived until Cinder had answered. */
  async acceptBuild(confirmed = true, volumes: readonly VolumeId[] = [VOLUME]): Promise<void> {
    const mappings = volumes.map((volumeId, n) => ({
      ...MAPPING_INPUT,
      id: MAPPING.replace(/^./, String(n)) as BlockDeviceMappingId,
      volumeId,
      bootIndex: n === 0 ? 0 : null,
      deleteOnTermination: true,
    }));
    const created = await this.store.createInstance({
      instance: newInstance(),
      mappings,
      requester: this.requester(),
      confirmWithin: seconds(30),
    });
    const reserved = mappings.map(({ id, volumeId }) => {
      return { mapping: id, attachmentId: this.volumes.reserve(volumeId, SERVER) };
    });
    if (confirmed) await this.store.confirmReservations(created.operation, reserved);
  }

  async acceptAttach(confirmed = true): Promise<string> {
    const reserved = await this.store.reserveAttachment({
      serverId: SERVER,
      mapping: { ...MAPPING_INPUT, id: DATA_MAPPING, volumeId: DATA },
      requester: this.requester(),
      confirmWithin: seconds(30),
    });
    if (reserved.kind !== 'reserved') return reserved.kind;
    const attachmentId = this.volumes.reserve(DATA, SERVER);
    const attachments = [{ mapping: DATA_MAPPING, attachmentId }];
    if (confirmed) await this.store.confirmReservations(reserved.operation, attachments);
    return 'accepted';
  }

  /** Cinder has grown a volume, the boot volume unless another is named, and tells us. */
  async acceptExtend(size: GiB = gib(2), volume: VolumeId = VOLUME): Promise<void> {
    this.volumes.sizes.set(volume, size);
    const operation = { kind: 'extend', serverId: SERVER, volumeTag: volume } as const;
    const posted = { name: 'volume-extended', serverId: SERVER, status: 'completed', tag: volume, code: 200 } as const;
    await this.store.acceptExternalEvents([{ ...posted, operation }], this.requester());
  }

  /** Cinder leaves the growth to the host, and waits to be told of its end. */
  async acceptGrowthByHost(size: GiB = gib(2)): Promise<void> {
    this.volumes.extending.set(VOLUME, size);
    await this.acceptExtend(this.volumes.sizeOf(VOLUME));
  }

  async acceptDetach(): Promise<string> {
    return (await this.store.requestDetach({ serverId: SERVER, volumeId: DATA, requester: this.requester() })).kind;
  }

  async acceptPower(action: keyof typeof POWER_REQUESTS): Promise<string> {
    const requester = this.requester();
    return (await this.store.requestPower({ serverId: SERVER, ...POWER_REQUESTS[action], requester })).kind;
  }

  async acceptDelete(): Promise<string> {
    this.deleting = true;
    return this.store.requestDelete(SERVER, this.requester());
  }

  private shrunk(): string[] {
    const largest = new Map<string, number>();
    return this.host.shown.flatMap(({ server, volume, bytes }) => {
      const disk = `${server} ${volume}`;
      const before = largest.get(disk) ?? 0;
      largest.set(disk, Math.max(before, bytes));
      return bytes < before ? [`${volume} was shown with ${bytes} bytes after ${before}`] : [];
    });
  }
}
