import {
  type BlockDeviceMappingId,
  gib,
  gibToBytes,
  type HostName,
  type RequestId,
  seconds,
  type ServerId,
  type UserId,
  type VolumeId,
} from '@novella/core';
import { flavor, newInstance } from '@novella/testing';
import { roomNeeded } from '../../apps/conductor/src/operations/choose-hosts.js';
import { FLAVOR, PROJECT } from './api-process.js';
import { REPORT } from './run-processes.js';
import { HOSTS, type World } from './world.js';

/** Servers that were built before anything else happens, each with a boot volume and data volumes. */
export async function setUp(world: World, serverCount: number, dataVolumes: number): Promise<void> {
  await world.store.createFlavor(flavor({ id: FLAVOR, name: FLAVOR, memoryMib: 64 }));
  for (const host of HOSTS) await world.store.reportService({ ...REPORT, binary: 'nova-compute', host });
  for (let n = 0; n < serverCount; n += 1) {
    const volumes = [world.cinder.make('raw')];
    const formats = world.chance.of(`formats of ${n}`);
    for (let d = 0; d < dataVolumes; d += 1) volumes.push(world.cinder.make(formats.is(0.3) ? 'qcow2' : 'raw'));
    await hasServer(
      world,
      HOSTS[n % HOSTS.length]!,
      volumes.map(({ id }) => id),
    );
  }
  world.cinder.make('raw');
}

/** As engines would have made it, in the fewest steps. */
async function hasServer(world: World, host: HostName, volumes: readonly VolumeId[]): Promise<void> {
  const id = world.ids.uuid() as ServerId;
  const mappings = volumes.map((volumeId, index) => ({
    id: world.ids.uuid() as BlockDeviceMappingId,
    volumeId,
    size: gib(1),
    bus: 'virtio' as const,
    device: null,
    bootIndex: index === 0 ? 0 : null,
    tag: null,
    deleteOnTermination: false,
    multiattach: false,
  }));
  const requester = {
    requestId: `req-${world.ids.uuid()}` as RequestId,
    userId: 'admin' as UserId,
    projectId: PROJECT,
  };
  const small = flavor({ id: FLAVOR, name: FLAVOR, memoryMib: 64 });
  const {
    operation: build,
    instance,
    mappings: made,
  } = await world.store.createInstance({
    instance: newInstance({ id, projectId: PROJECT, flavor: small }),
    mappings,
    requester,
    confirmWithin: seconds(30),
  });
  const reserved = [];
  for (const { id: mapping, volumeId } of made) {
    const attachmentId = await world.cinder.api.createAttachment(volumeId, id, {} as never);
    world.cinder.attachments.get(attachmentId)!.state = 'attached';
    reserved.push({ mapping, attachmentId });
  }
  await world.store.confirmReservations(build, reserved);
  const operation = (await world.store.claimOne(build, 'set-up', seconds(1)))!;
  await world.store.place(operation, id, host, roomNeeded(instance));
  const at = world.hosts.get(host)!;
  at.folders.add(id);
  await at.hypervisor.createGuest({
    server: id,
    domainName: `instance-${instance.number.toString(16).padStart(8, '0')}`,
    displayName: instance.name,
    projectId: PROJECT,
    vcpus: 1,
    memoryMib: 64,
    kernel: null,
    rootDisk: null,
    bootVolume: volumes[0]!,
    consolePath: '/dev/null',
    disks: made.map(({ volumeId, device, bus }) => {
      const { path, format } = world.cinder.volumes.get(volumeId)!;
      at.devices.add(path);
      const kind = format === 'raw' ? ('block' as const) : ('file' as const);
      const name = device.replace('/dev/', '');
      return {
        volume: volumeId,
        source: { kind, path },
        format,
        device: name,
        bus,
        shareable: false,
        readOnly: false,
      };
    }),
  });
  const size = gibToBytes(gib(1));
  await world.store.end(operation, {
    result: 'succeeded',
    changes: {
      instance: { vmState: 'active', taskState: null, powerState: 'running', launched: true },
      mappings: made.map(({ id: mapping, volumeId }) => ({
        id: mapping,
        connection: world.cinder.connectionOf(world.cinder.volumes.get(volumeId)!),
        hostBytes: size,
        guestBytes: size,
        attached: true,
      })),
    },
  });
  world.servers.add(id);
}
