import {
  type AttachmentId,
  type BlockDeviceMappingId,
  bytes,
  gibToBytes,
  type Millis,
  type OperationId,
  type ServerId,
} from '@novella/core';
import { assignDevices, firstFreeDevice, rootDevices } from '../devices.js';
import type { Instance } from '../records.js';
import { inOrder } from '../server-changes.js';
import type { Requester } from '../requester.js';
import type { ApiStore, NewBlockDeviceMapping, NewInstance } from '../api-store.js';
import { DISKS_CHANGE } from '../transition-facts.js';
import { newOperation } from './new-operation.js';
import {
  appended,
  type InstanceRow,
  isOpen,
  type MappingRow,
  type OperationRow,
  type Tables,
  toInstance,
  toMapping,
} from './tables.js';

type Created = Awaited<ReturnType<ApiStore['createInstance']>>;
type Reserved = Awaited<ReturnType<ApiStore['reserveAttachment']>>;

export function createInstance(
  db: Tables,
  input: {
    instance: NewInstance;
    mappings: readonly NewBlockDeviceMapping[];
    requester: Requester;
    confirmWithin: Millis;
  },
): Created {
  const instance = addInstance(db, input.instance);
  const devices = assignDevices(instance, input.mappings);
  const mappings = input.mappings.map((mapping, index) =>
    addMapping(db, instance.id, mapping, devices[index] ?? firstFreeDevice(mapping.bus, new Set(devices))),
  );
  const confirmWithin = mappings.length > 0 ? input.confirmWithin : null;
  const operation = addBuild(db, instance, confirmWithin, input.requester);
  return { instance: toInstance(instance), mappings: mappings.map(toMapping), operation: operation.id };
}

export function createInstances(
  db: Tables,
  { instances, requester }: { instances: readonly NewInstance[]; requester: Requester },
): Instance[] {
  return instances.map((given) => {
    const instance = addInstance(db, given);
    addBuild(db, instance, null, requester);
    return toInstance(instance);
  });
}

function addInstance(db: Tables, given: NewInstance): InstanceRow {
  const now = db.now();
  const instance = {
    ...given,
    tags: inOrder(given.tags),
    lockedBy: null,
    lockedReason: null,
    number: (db.instanceNumber += 1),
    vmState: 'building',
    taskState: 'scheduling',
    powerState: 'nostate',
    host: null,
    generation: 0,
    fault: null,
    launchedAt: null,
    terminatedAt: null,
    createdAt: now,
    updatedAt: now,
    deletedAt: null,
    placed: { vcpus: 0, memoryMib: 0, diskGib: 0 },
  } as const;
  db.instances.set(instance.id, instance);
  return instance;
}

function addBuild(db: Tables, server: Instance, confirmWithin: Millis | null, requester: Requester): OperationRow {
  const build = { kind: 'build', server, volumeId: null, initiator: 'user', request: {}, confirmWithin } as const;
  const operation = newOperation(db, build);
  db.addAction(operation, 1, requester);
  return operation;
}

function addMapping(db: Tables, serverId: ServerId, mapping: NewBlockDeviceMapping, device: string): MappingRow {
  const row: MappingRow = {
    ...mapping,
    serverId,
    device,
    attachmentId: null,
    connection: null,
    sealedSecret: null,
    wantedBytes: gibToBytes(mapping.size),
    hostBytes: null,
    guestBytes: null,
    overheadBytes: bytes(0),
    attachedAt: null,
    createdAt: db.now(),
    refused: null,
  };
  db.mappings.set(row.id, row);
  return row;
}

export function reserveAttachment(
  db: Tables,
  input: { serverId: ServerId; mapping: NewBlockDeviceMapping; requester: Requester; confirmWithin: Millis },
): Reserved {
  const server = db.instances.get(input.serverId);
  if (server === undefined || server.deletedAt !== null) return { kind: 'server-not-found' };
  if (server.taskState !== null || !DISKS_CHANGE.includes(server.vmState)) return { kind: 'server-busy' };
  const present = db.mappingsOf(server.id);
  if (present.some((mapping) => mapping.volumeId === input.mapping.volumeId)) return { kind: 'already-attached' };
  const taken = new Set([...rootDevices(server, present), ...present.map((mapping) => mapping.device)]);
  if (input.mapping.device !== null && taken.has(input.mapping.device)) return { kind: 'device-in-use' };
  const device = input.mapping.device ?? firstFreeDevice(input.mapping.bus, taken);
  const mapping = addMapping(db, server.id, input.mapping, device);
  const operation = newOperation(db, {
    kind: 'attach',
    server,
    volumeId: mapping.volumeId,
    initiator: 'user',
    request: {},
    confirmWithin: input.confirmWithin,
  });
  db.addAction(operation, 1, input.requester);
  return { kind: 'reserved', mapping: toMapping(mapping), operation: operation.id };
}

/** Only as long as the engine has never claimed it. */
function reservation(db: Tables, id: OperationId): OperationRow | null {
  const row = db.operations.get(id);
  return row?.state === 'waiting' && row.waitingFor === 'api' && row.claimedBy === null ? row : null;
}

export function confirmReservations(
  db: Tables,
  id: OperationId,
  attachments: readonly { mapping: BlockDeviceMappingId; attachmentId: AttachmentId }[],
): 'queued' | 'gone' {
  const row = reservation(db, id);
  if (row === null) return 'gone';
  for (const { mapping, attachmentId } of attachments) {
    const before = db.mappings.get(mapping);
    if (before?.serverId === row.serverId) db.mappings.set(mapping, { ...before, attachmentId });
  }
  const timeline = appended(row.timeline, db.now(), 'queued', 'confirmed');
  const version = row.version + 1;
  db.operations.set(id, { ...row, state: 'queued', waitingFor: null, nextAt: null, version, timeline });
  return 'queued';
}

export function abandonReservations(db: Tables, id: OperationId): 'forgotten' | 'gone' {
  const row = reservation(db, id);
  if (row === null) return 'gone';
  const others = [...db.operations.values()].filter((other) => other.serverId === row.serverId && other.id !== id);
  if (row.kind === 'build' && others.some((other) => isOpen(other.state))) return 'gone';
  for (const mapping of db.mappingsOf(row.serverId)) {
    if (row.kind === 'build' || mapping.volumeId === row.volumeId) db.mappings.delete(mapping.id);
  }
  const actions = (db.actions.get(row.serverId) ?? []).filter((action) => action.operationId !== id);
  db.actions.set(row.serverId, actions);
  db.operations.delete(id);
  if (row.kind === 'build') {
    for (const other of others) db.operations.delete(other.id);
    db.actions.delete(row.serverId);
    db.instances.delete(row.serverId);
  }
  return 'forgotten';
}
