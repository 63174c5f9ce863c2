import {
  type AttachmentId,
  type BlockDeviceMappingId,
  bytes,
  type ConnectionInfoOf,
  gib,
  gibToBytes,
  type HostName,
  type OperationId,
  type ProjectId,
  type ServerId,
  type UserId,
  type VolumeId,
} from '@novella/core';
import type {
  BlockDeviceMapping,
  Flavor,
  Instance,
  NewInstance,
  Operation,
  OperationFacts,
  Service,
} from '@novella/persistence';

/** Rows as the store would answer them: a running server `SERVER` on `HOST` with one attached volume `VOLUME` of 1 GiB. */
export const SERVER = '11111111-1111-4111-8111-111111111111' as ServerId;
export const VOLUME = '22222222-2222-4222-8222-222222222222' as VolumeId;
export const ATTACHMENT = '33333333-3333-4333-8333-333333333333' as AttachmentId;
export const MAPPING = '44444444-4444-4444-8444-444444444444' as BlockDeviceMappingId;
export const OPERATION = '55555555-5555-4555-8555-555555555555' as OperationId;
export const HOST = 'compute-1' as HostName;
export const CONNECTION: ConnectionInfoOf<'local'> = {
  protocol: 'local',
  devicePath: '/volumes/volume-1',
  format: 'raw',
  accessMode: 'rw',
  encrypted: false,
};
/** Base64 of 32 bytes, as a host reports its key; nobody has the private half. */
export const PUBLIC_KEY = Buffer.alloc(32, 7).toString('base64');
const LONG_AGO = new Date('2026-01-01T00:00:00Z');

export const flavor = (over: Partial<Flavor> = {}): Flavor => ({
  id: '1',
  name: 'm1.tiny',
  vcpus: 1,
  memoryMib: 256,
  rootGib: 0,
  ephemeralGib: 0,
  swapMib: 0,
  rxtxFactor: 1,
  isPublic: true,
  disabled: false,
  description: null,
  extraSpecs: {},
  ...over,
});

export const instance = (over: Partial<Instance> = {}): Instance => ({
  id: SERVER,
  number: 1,
  projectId: 'd'.repeat(32) as ProjectId,
  userId: 'admin' as UserId,
  name: 'server',
  description: null,
  flavor: flavor(),
  imageRef: null,
  bootImages: null,
  diskBus: 'virtio',
  metadata: {},
  availabilityZone: null,
  keyName: null,
  vmState: 'active',
  taskState: null,
  powerState: 'running',
  host: HOST,
  generation: 1,
  fault: null,
  launchedAt: LONG_AGO,
  terminatedAt: null,
  createdAt: LONG_AGO,
  updatedAt: LONG_AGO,
  deletedAt: null,
  ...over,
});

/** What a request for the server `SERVER` without an image asks the store to write. */
export const newInstance = (over: Partial<NewInstance> = {}): NewInstance => ({
  id: SERVER,
  projectId: 'd'.repeat(32) as ProjectId,
  userId: 'admin' as UserId,
  name: 'server',
  description: null,
  flavor: flavor(),
  imageRef: null,
  bootImages: null,
  diskBus: 'virtio',
  metadata: {},
  availabilityZone: null,
  keyName: null,
  ...over,
});

export const mapping = (over: Partial<BlockDeviceMapping> = {}): BlockDeviceMapping => ({
  id: MAPPING,
  serverId: SERVER,
  volumeId: VOLUME,
  attachmentId: ATTACHMENT,
  connection: CONNECTION,
  sealedSecret: null,
  device: '/dev/vdb',
  bus: 'virtio',
  bootIndex: null,
  tag: null,
  deleteOnTermination: false,
  multiattach: false,
  size: gib(1),
  wantedBytes: gibToBytes(gib(1)),
  hostBytes: gibToBytes(gib(1)),
  guestBytes: gibToBytes(gib(1)),
  overheadBytes: bytes(0),
  attachedAt: LONG_AGO,
  createdAt: LONG_AGO,
  ...over,
});

export const service = (over: Partial<Service> = {}): Service => ({
  id: '66666666-6666-4666-8666-666666666666',
  host: HOST,
  binary: 'nova-compute',
  version: '0.1.0',
  capabilities: ['extend-volume', 'protocol:local'],
  connectorProperties: { host: HOST, ip: '127.0.0.1' },
  publicKey: PUBLIC_KEY,
  hypervisor: { type: 'fake', version: '1', hostname: HOST },
  capacity: { vcpus: 8, memoryMib: 8192, diskGib: 100 },
  used: { vcpus: 1, memoryMib: 256, diskGib: 0 },
  lastReportAt: LONG_AGO,
  up: true,
  disabled: false,
  disabledReason: null,
  forcedDown: false,
  ...over,
});

export const operation = (over: Partial<Operation> = {}): Operation => ({
  id: OPERATION,
  kind: 'extend',
  step: null,
  serverId: SERVER,
  volumeId: VOLUME,
  generation: 1,
  host: HOST,
  initiator: 'cinder',
  state: 'queued',
  waitingFor: null,
  attempt: 0,
  fence: null,
  requestedSeq: 1,
  decidedSeq: 1,
  version: 1,
  failures: 0,
  request: {},
  error: null,
  verifiedBy: null,
  visible: null,
  createdAt: LONG_AGO,
  sentAt: null,
  deadline: null,
  nextAt: null,
  endedAt: null,
  timeline: [],
  ...over,
});

export const facts = (over: Partial<OperationFacts> = {}): OperationFacts => ({
  instance: instance(),
  mappings: [mapping()],
  service: service(),
  others: [],
  ...over,
});
