import { randomUUID } from 'node:crypto';
import {
  type AttachmentId,
  type BlockDeviceMappingId,
  bytes,
  type ErrorRecord,
  gib,
  gibToBytes,
  type HostName,
  minutes,
  type OperationId,
  type ProjectId,
  type RequestId,
  seconds,
  type ServerId,
  type UserId,
  type VolumeId,
} from '@novella/core';
import type {
  BlockDeviceMapping,
  Flavor,
  Instance,
  NewBlockDeviceMapping,
  NewInstance,
  Operation,
  PostedEvent,
  Requester,
  ServiceReportInput,
  Store,
} from '@novella/persistence';

/** What a store under test is opened with, and how its time is made to pass. */
export interface StoreHarness {
  /** Sessions on one store that holds nothing. */
  fresh(sessions: number): Promise<Store[]>;
  /** Lets so many milliseconds pass on the store's clock. */
  pass(ms: number): Promise<void>;
  close(): Promise<void>;
}
/** What the parts of the suite work with: the store is empty at the start of every test. */
export interface Subject {
  readonly store: () => Store;
  /** As many sessions on the same data; for the SQL store each has connections of its own. */
  readonly sessions: () => readonly Store[];
  readonly pass: (ms: number) => Promise<void>;
}

export const SESSIONS = 8;

/** serviceDownTime of every store under test. */
export const SERVICE_DOWN_TIME = seconds(2);

export const LEASE = minutes(1);
export const host = (name: string): HostName => name as HostName;
export const HOST = host('compute-1');
export const serverId = (): ServerId => randomUUID() as ServerId;
export const volumeId = (): VolumeId => randomUUID() as VolumeId;
export const attachmentId = (): AttachmentId => randomUUID() as AttachmentId;
export const operationId = (): OperationId => randomUUID() as OperationId;
export const mappingId = (): BlockDeviceMappingId => randomUUID() as BlockDeviceMappingId;

export const requester = (): Requester => ({
  requestId: `req-${randomUUID()}` as RequestId,
  userId: 'user-1' as UserId,
  projectId: 'project-1' as ProjectId,
});

export const FLAVOR: Flavor = {
  id: '1',
  name: 'm1.tiny',
  vcpus: 1,
  memoryMib: 512,
  rootGib: 1,
  ephemeralGib: 0,
  swapMib: 0,
  rxtxFactor: 1,
  isPublic: true,
  disabled: false,
  description: null,
  extraSpecs: {},
};

export const newInstance = (changes: Partial<NewInstance> = {}): NewInstance => ({
  id: serverId(),
  projectId: 'project-1' as ProjectId,
  userId: 'user-1' as UserId,
  name: 'server',
  description: null,
  flavor: FLAVOR,
  imageRef: randomUUID(),
  bootImages: null,
  diskBus: 'virtio',
  metadata: {},
  availabilityZone: null,
  keyName: null,
  hostname: 'server',
  reservationId: 'r-1',
  launchIndex: 0,
  accessIpV4: null,
  accessIpV6: null,
  configDrive: false,
  autoDiskConfig: false,
  kernelId: '',
  ramdiskId: '',
  tags: [],
  userData: null,
  keyData: null,
  ...changes,
});

export const newMapping = (changes: Partial<NewBlockDeviceMapping> = {}): NewBlockDeviceMapping => ({
  id: mappingId(),
  volumeId: volumeId(),
  size: gib(1),
  bus: 'virtio',
  device: null,
  bootIndex: null,
  tag: null,
  deleteOnTermination: false,
  multiattach: false,
  ...changes,
});

export const report = (changes: Partial<ServiceReportInput> = {}): ServiceReportInput => ({
  host: HOST,
  binary: 'nova-compute',
  version: '1.0',
  capabilities: ['extend-volume', 'protocol:local'],
  connectorProperties: { host: 'compute-1', multipath: false },
  publicKey: Buffer.alloc(32, 7).toString('base64'),
  hypervisor: { type: 'QEMU', version: '7.2', hostname: 'compute-1' },
  capacity: { vcpus: 1000, memoryMib: 1_000_000, diskGib: 10_000 },
  ...changes,
});

export const extended = (server: ServerId, tag: string): PostedEvent => ({
  name: 'volume-extended',
  serverId: server,
  status: 'completed',
  tag,
  code: 200,
  operation: { kind: 'extend', serverId: server, volumeTag: tag },
});

export const powerUpdate = (server: ServerId, target: 'POWER_ON' | 'POWER_OFF'): PostedEvent => ({
  name: 'power-update',
  serverId: server,
  status: 'completed',
  tag: target,
  code: 200,
  operation: { kind: 'power-update', serverId: server, target },
});

export const failure = (changes: Partial<ErrorRecord> = {}): ErrorRecord => ({
  code: 'extend-unsupported',
  grade: 'infeasible',
  message: 'the host cannot extend',
  facts: { host: 'compute-1' },
  ...changes,
});

/** A value that a test's own arrangement guarantees. */
export function must<T>(value: T | null | undefined | string): T {
  if (value === null || value === undefined || typeof value === 'string')
    throw new Error(`unexpected ${String(value)}`);
  return value;
}

/** An operation that was claimed by `claimOne`. */
export async function claimed(store: Store, id: OperationId, lease = LEASE): Promise<Operation> {
  return must(await store.claimOne(id, 'conductor-1', lease));
}

export const TO_HOST = { host: HOST, step: 'act', generation: 1, deadlineIn: minutes(1) } as const;

export async function dispatched(store: Store, id: OperationId): Promise<Operation> {
  return must<Operation>(await store.dispatch(await claimed(store, id), TO_HOST));
}

/** An active server on HOST, as its build left it. */
export async function activeServer(store: Store, changes: Partial<NewInstance> = {}): Promise<Instance> {
  await store.reportService(report());
  const created = await store.createInstance({
    instance: newInstance(changes),
    mappings: [],
    requester: requester(),
    confirmWithin: minutes(1),
  });
  const build = await claimed(store, created.operation);
  const placed = await store.place(build, created.instance.id, HOST, { vcpus: 1, memoryMib: 512, diskGib: 1 });
  if (placed !== 'placed') throw new Error(placed);
  const sent = must<Operation>(await store.dispatch(build, TO_HOST));
  const answered = await answer(store, sent);
  await store.end(answered, {
    result: 'succeeded',
    changes: { instance: { vmState: 'active', taskState: null, powerState: 'running', launched: true } },
  });
  return must(await store.instance(created.instance.id));
}

export async function answer(store: Store, sent: Operation): Promise<Operation> {
  const { id: operation, attempt, fence, host: from } = sent;
  if (fence === null || from === null) throw new Error('not dispatched');
  return must(await store.claimForResult({ operation, attempt, fence, host: from }, 'conductor-1', LEASE));
}

/** A volume of 1 GiB that is attached to the server. */
export async function attachedVolume(
  store: Store,
  server: Instance,
  changes: Partial<NewBlockDeviceMapping> = {},
): Promise<BlockDeviceMapping> {
  const reserved = await store.reserveAttachment({
    serverId: server.id,
    mapping: newMapping(changes),
    requester: requester(),
    confirmWithin: minutes(1),
  });
  if (reserved.kind !== 'reserved') throw new Error(reserved.kind);
  const { mapping, operation } = reserved;
  await store.confirmReservations(operation, [{ mapping: mapping.id, attachmentId: attachmentId() }]);
  const sent = await dispatched(store, operation);
  await store.end(await answer(store, sent), {
    result: 'succeeded',
    changes: {
      mappings: [
        {
          id: mapping.id,
          connection: {
            protocol: 'local',
            devicePath: '/dev/loop0',
            format: 'raw',
            accessMode: 'rw',
            encrypted: false,
          },
          hostBytes: gibToBytes(gib(1)),
          guestBytes: bytes(2 ** 30),
          attached: true,
        },
      ],
    },
  });
  return mappingOf(store, server.id, mapping.id);
}

export async function mappingOf(store: Store, server: ServerId, id: BlockDeviceMappingId): Promise<BlockDeviceMapping> {
  const mappings = (await store.blockDeviceMappings([server])).get(server) ?? [];
  return must(mappings.find((mapping) => mapping.id === id));
}

/** The one open operation of a kind on a server. */
export async function openOperation(store: Store, server: ServerId, kind: Operation['kind']): Promise<Operation> {
  const open = await store.operations({ serverId: server, open: true, limit: 100 });
  return must(open.find((operation) => operation.kind === kind));
}

/** The operation that one posted volume-extended has opened. */
export async function extendOf(store: Store, server: ServerId, tag: string): Promise<Operation> {
  await store.acceptExternalEvents([extended(server, tag)], requester());
  const open = await store.operations({ serverId: server, open: true, limit: 100 });
  return must(open.find((operation) => operation.kind === 'extend' && operation.volumeId === tag));
}
