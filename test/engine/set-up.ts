import { type Bytes, gibToBytes, seconds, type VmState, type VolumeId } from '@novella/core';
import type { Operation, RecordChanges } from '@novella/persistence';
import { HOST, SERVER } from '@novella/testing';
import { roomNeeded } from '../../apps/conductor/src/operations/choose-hosts.js';
import type { Deployment } from './deployment.js';

/**
 * Where stories begin. Thousands of worlds begin there, so what engines would do is written in as few steps as the store
 * has for it; set-up.spec.ts sees that engines come to the same.
 */
export async function built(to: Deployment): Promise<void> {
  await to.acceptBuild();
  const operation = await claimed(to);
  const instance = await to.store.instance(SERVER);
  if (instance !== null) await to.store.place(operation, SERVER, HOST, roomNeeded(instance));
  to.host.guests.set(SERVER, { power: 'running', disks: new Map() });
  const attachedNow = await attachAll(to);
  await to.store.end(operation, {
    result: 'succeeded',
    changes: {
      instance: { vmState: 'active', taskState: null, powerState: 'running', launched: true },
      mappings: attachedNow,
    },
  });
}

/** The server has a second volume besides. */
export async function attached(to: Deployment): Promise<void> {
  await built(to);
  await to.acceptAttach();
  const operation = await claimed(to);
  await to.store.end(operation, { result: 'succeeded', changes: { mappings: await attachAll(to) } });
}

/** The server, with a second volume, is off. */
export async function stopped(to: Deployment): Promise<void> {
  await attached(to);
  await switchOff(to);
}

export async function switchOff(to: Deployment): Promise<void> {
  await to.acceptPower('stop');
  const operation = await claimed(to);
  const guest = to.host.guests.get(SERVER);
  if (guest !== undefined) guest.power = 'shutdown';
  const mappings = (await to.store.blockDeviceMappings([SERVER])).get(SERVER) ?? [];
  await to.store.end(operation, {
    result: 'succeeded',
    changes: {
      instance: { vmState: 'stopped', taskState: null, powerState: 'shutdown' },
      mappings: mappings.map(({ id }) => ({ id, guestBytes: null })),
    },
  });
}

/** The server, with a second volume, is paused. */
export async function paused(to: Deployment): Promise<void> {
  await attached(to);
  await pauseGuest(to);
}

/** The server, with a second volume, is suspended: what its guest last saw of its volumes it still knows. */
export async function suspended(to: Deployment): Promise<void> {
  await attached(to);
  await saveGuest(to);
}

export const pauseGuest = (to: Deployment): Promise<void> => hold(to, 'pause', 'paused', 'paused');
export const saveGuest = (to: Deployment): Promise<void> => hold(to, 'suspend', 'saved', 'suspended');

async function hold(
  to: Deployment,
  request: 'pause' | 'suspend',
  powerState: 'paused' | 'saved',
  vmState: VmState,
): Promise<void> {
  await to.acceptPower(request);
  const operation = await claimed(to);
  const guest = to.host.guests.get(SERVER);
  if (guest !== undefined) guest.power = powerState;
  const changes = { instance: { vmState, taskState: null, powerState } };
  await to.store.end(operation, { result: 'succeeded', changes });
}

async function claimed(to: Deployment): Promise<Operation> {
  const [operation] = await to.store.claimDue('set-up', seconds(1), 1);
  if (operation === undefined) throw new Error('nothing was accepted');
  return operation;
}

/** All volumes of the server are in its guest and completed at Cinder. */
async function attachAll(to: Deployment): Promise<NonNullable<RecordChanges['mappings']>> {
  for (const record of to.volumes.records.values()) record.state = 'attached';
  const mappings = (await to.store.blockDeviceMappings([SERVER])).get(SERVER) ?? [];
  return mappings.map(({ id, volumeId }) => {
    const size = sizeOf(to, volumeId);
    to.host.guests.get(SERVER)?.disks.set(volumeId, size);
    to.host.devices.add(volumeId);
    return {
      id,
      connection: to.volumes.connectionInfo,
      sealedSecret: to.volumes.secret === null ? null : 'sealed',
      hostBytes: size,
      guestBytes: size,
      attached: true,
    };
  });
}

const sizeOf = (to: Deployment, volume: VolumeId): Bytes => gibToBytes(to.volumes.sizeOf(volume));
