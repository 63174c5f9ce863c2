import { bytesToGib, gibToBytes, type HostName, type ServerId } from '@novella/core';
import type { BlockDeviceMapping, Instance } from '@novella/persistence';
import type { Guest } from '@novella/virt';
import type { World } from './world.js';

/**
 * What is not yet as it must be when everything has been whole for long enough: operations that are open, requests whose
 * end nobody can read, and whatever record, hypervisor and Cinder see differently.
 */
export async function unsettled(world: World): Promise<string[]> {
  await world.findServers();
  const problems: string[] = [];
  for (const { kind, id, state, waitingFor, error } of await world.store.operations({ open: true, limit: 1_000 })) {
    problems.push(`${kind} ${id} is ${state}, waits for ${waitingFor}, ${error?.code ?? 'no error'}`);
  }
  for (const server of world.servers) problems.push(...(await problemsOf(world, server)));
  problems.push(...(await actionProblems(world)), ...(await cinderProblems(world)));
  return problems;
}

async function problemsOf(world: World, id: ServerId): Promise<string[]> {
  const instance = await world.store.instanceEvenDeleted(id);
  const named = `server ${id.slice(0, 4)}`;
  const places = await guestsOf(world, id);
  if (instance === null) return [`${named} is not on record`];
  if (places.length > 1) return [`${named} has guests on ${places.map(({ host }) => host).join(' and ')}`];
  const place = places[0] ?? null;
  if (instance.deletedAt !== null) return place === null ? [] : [`${named} is deleted and has a guest`];
  const problems: string[] = [];
  if (instance.taskState !== null) problems.push(`${named} still is ${instance.taskState}`);
  if (place !== null && place.host !== instance.host)
    problems.push(`${named} is on ${place.host}, not ${instance.host}`);
  const mappings = (await world.store.blockDeviceMappings([id])).get(id) ?? [];
  problems.push(...powerProblems(named, instance, place?.guest ?? null));
  problems.push(...diskProblems(world, named, mappings, place));
  return problems;
}

async function guestsOf(world: World, server: ServerId): Promise<{ host: HostName; guest: Guest }[]> {
  const places = [];
  for (const host of world.hosts.values()) {
    const guest = await host.hypervisor.guest(server);
    if (guest !== null) places.push({ host: host.name, guest });
  }
  return places;
}

function powerProblems(named: string, { vmState, powerState }: Instance, guest: Guest | null): string[] {
  if (guest === null) return vmState === 'error' ? [] : [`${named} is ${vmState} and has no guest`];
  const problems: string[] = [];
  if (powerState !== guest.powerState) problems.push(`${named} is ${powerState} on record, and ${guest.powerState}`);
  const runs = guest.run !== null;
  if (vmState === 'active' && !runs) problems.push(`${named} is active and off`);
  if (vmState === 'stopped' && runs) problems.push(`${named} is stopped and runs`);
  if (vmState === 'suspended' && runs) problems.push(`${named} is suspended and runs`);
  return problems;
}

function diskProblems(
  { cinder, hosts }: World,
  named: string,
  mappings: readonly BlockDeviceMapping[],
  place: { readonly host: HostName; readonly guest: Guest } | null,
): string[] {
  const guest = place?.guest ?? null;
  const problems: string[] = [];
  for (const { volumeId, attachedAt, guestBytes, size } of mappings) {
    const disk = guest?.disks.find(({ volume }) => volume === volumeId);
    const what = `volume ${volumeId.slice(0, 4)} of ${named}`;
    if (attachedAt === null) problems.push(`${what} was never attached and is on record`);
    if (disk === undefined) {
      problems.push(`${what} is on record and no disk of its guest`);
      continue;
    }
    if (guest?.run === null || disk.guestBytes === null) continue;
    if (guestBytes !== disk.guestBytes) problems.push(`${what} has ${guestBytes} on record, and ${disk.guestBytes}`);
    if (size !== bytesToGib(disk.guestBytes))
      problems.push(`${what} is shown with ${size} GiB, and ${disk.guestBytes}`);
    const known = place === null ? null : hosts.get(place.host)?.hypervisor.knownBytes(place.guest.server, volumeId);
    if (known !== disk.guestBytes)
      problems.push(`${what} is shown with ${disk.guestBytes}, and its guest knows ${known}`);
    const wanted = gibToBytes(cinder.volumes.get(volumeId)!.size);
    if (disk.guestBytes < wanted) problems.push(`${what} has ${disk.guestBytes}, and ${wanted} at Cinder`);
  }
  for (const { volume } of guest?.disks ?? []) {
    if (mappings.some(({ volumeId }) => volumeId === volume)) continue;
    problems.push(`the guest of ${named} has a disk of ${volume.slice(0, 4)}, which is not on record`);
  }
  return problems;
}

async function actionProblems(world: World): Promise<string[]> {
  const problems: string[] = [];
  for (const { accepted, server, requestId, what } of world.asked) {
    // The client does not know the id of the second event of one server in one POST.
    if (!accepted || requestId.startsWith('of ')) continue;
    const action = await world.store.instanceAction(server, requestId);
    if (action === null) problems.push(`${what} ${requestId} was accepted and is not on record`);
  }
  for (const server of world.servers) {
    for (const { requestId } of await world.store.instanceActions(server)) {
      const action = await world.store.instanceAction(server, requestId);
      const event = action?.events[0];
      const readable = event?.result === 'Success' || (event?.result === 'Error' && (event.details ?? '') !== '');
      if (!readable)
        problems.push(`${action?.action} ${requestId} of ${server.slice(0, 4)} has no end: ${event?.result}`);
    }
  }
  return problems;
}

async function cinderProblems({ cinder, store, hosts, servers }: World): Promise<string[]> {
  const mappings = [...(await store.blockDeviceMappings([...servers])).values()].flat();
  const problems: string[] = [];
  for (const volume of cinder.volumes.values()) {
    const mapping = mappings.find(({ volumeId }) => volumeId === volume.id);
    const named = `volume ${volume.id.slice(0, 4)}`;
    const status = volume.deleted ? 'deleted' : cinder.statusOf(volume);
    const expected = mapping === undefined ? ['available', 'deleted'] : ['in-use'];
    if (!expected.includes(status)) problems.push(`${named} is ${status} at Cinder, ${expected.join(' or ')} was due`);
    const held = cinder.attachmentsOf(volume.id);
    const ours = held.filter(([id, { server }]) => id === mapping?.attachmentId && server === mapping.serverId);
    if (held.length !== ours.length) problems.push(`${named} has an attachment at Cinder that is nobody's`);
    if (mapping !== undefined) continue;
    for (const host of hosts.values()) {
      if (host.devices.has(volume.path)) problems.push(`${named} still is a device of ${host.name}`);
    }
  }
  return problems;
}
