import { type BlockDeviceMappingId, gib, gibToBytes, type ServerId, type VolumeId } from '@novella/core';
import type { Image } from '@novella/image';
import type { Flavor, KeyPair, ListedFlavor, NewBlockDeviceMapping, NewInstance } from '@novella/persistence';
import { isVisible } from '../flavors/visible-flavor.js';
import { ApiFault } from '../http/fault.js';
import { has } from '../http/microversion.js';
import { allows } from '../http/policy.js';
import type { ApiCall } from '../http/request-context.js';
import { whyNotAttachable } from '../volume-attachments/decide-attach.js';
import { heededDevice } from '../volume-attachments/device-name.js';
import type { VolumeFacts } from '../volume-api.js';
import { sanitizeHostname } from './hostname.js';
import { bootImagesOf, imageNotFound, type RequestedImages } from './read-images.js';
import type { ServerRequest } from './server-request.js';

/** Whether the server can be made of what was found, and what to write. Mirrors nova:nova/compute/api.py create. */
export interface CreateFacts {
  readonly flavor: ListedFlavor | null;
  readonly images: RequestedImages;
  readonly volumes: ReadonlyMap<VolumeId, VolumeFacts>;
  /** null when none was asked for or there is none. */
  readonly keyPair: Pick<KeyPair, 'publicKey'> | null;
}

export interface NewServers {
  /** One, or several that differ in id, index and names. */
  readonly instances: readonly [NewInstance, ...NewInstance[]];
  /** Of the one. */
  readonly mappings: readonly NewBlockDeviceMapping[];
}

export function decideCreate(
  request: ServerRequest,
  facts: CreateFacts,
  call: Pick<ApiCall, 'context' | 'microversion'>,
  newId: () => string,
): NewServers {
  const flavor = usableFlavor(request.flavorRef, facts, call);
  if (request.imageRef === null) checkBootVolume(request, facts, flavor);
  else checkImage(request.imageRef, facts.images.image, flavor, call);
  if (request.keyName !== null && facts.keyPair === null) throw new ApiFault(400, 'Invalid key_name provided.');
  const diskBus = rootBus(request, facts);
  const { context } = call;
  // Rules may allow it to a caller without a project; but a server is somebody's.
  if (context.projectId === null) throw new ApiFault(403, 'A server can only be created in a project.');
  const [id, ...others] = Array.from({ length: request.count }, () => newId() as ServerId);
  if (id === undefined) throw new Error('no server was asked for');
  const alike = {
    projectId: context.projectId,
    userId: context.userId,
    description: request.description,
    flavor,
    imageRef: request.imageRef,
    bootImages: bootImagesOf(facts.images),
    diskBus,
    metadata: request.metadata,
    tags: request.tags,
    availabilityZone: request.availabilityZone,
    keyName: request.keyName,
    keyData: facts.keyPair?.publicKey ?? null,
    userData: request.userData,
    accessIpV4: request.accessIpV4,
    accessIpV6: request.accessIpV6,
    configDrive: request.configDrive,
    autoDiskConfig: request.autoDiskConfig,
    kernelId: facts.images.image?.properties.kernelId ?? '',
    ramdiskId: facts.images.image?.properties.ramdiskId ?? '',
    reservationId: `r-${id.slice(0, 8)}`,
  };
  const numbered = (each: ServerId, launchIndex: number): NewInstance => ({
    ...alike,
    id: each,
    launchIndex,
    ...namesOf(request, each, launchIndex),
  });
  return {
    instances: [numbered(id, 0), ...others.map((each, n) => numbered(each, n + 1))],
    mappings: request.volumes.map((wanted) => {
      const volume = volumeOf(facts, wanted.volumeId);
      const why = whyNotAttachable(volume, has(call.microversion, 'multiattach'));
      if (why !== null) throw new ApiFault(400, why);
      return {
        id: newId() as BlockDeviceMappingId,
        volumeId: wanted.volumeId,
        size: volume.size,
        bus: wanted.bus ?? diskBus,
        device: heededDevice(wanted.device, wanted.bus ?? diskBus),
        bootIndex: wanted.bootIndex,
        tag: wanted.tag,
        deleteOnTermination: wanted.deleteOnTermination,
        multiattach: volume.multiattach,
      };
    }),
  };
}

/** Of several each has its number behind its names. Mirrors nova:nova/compute/api.py _populate_instance_names. */
function namesOf({ name, hostname, count }: ServerRequest, id: ServerId, index: number) {
  const suffix = count > 1 ? `-${index + 1}` : '';
  const fromName = sanitizeHostname(name);
  return {
    name: `${name}${suffix}`,
    hostname: hostname ?? (fromName === '' ? `Server-${id}` : `${fromName}${suffix}`),
  };
}

/** As servers keep it: without who else may use it. */
function usableFlavor(ref: string, { flavor: found }: CreateFacts, { context }: Pick<ApiCall, 'context'>): Flavor {
  if (found === null || found.disabled || !isVisible(found, context)) {
    throw new ApiFault(400, `Flavor ${ref} could not be found.`);
  }
  const { projects: _others, ...flavor } = found;
  return flavor;
}

function checkImage(
  imageRef: string,
  image: Image | null,
  flavor: Flavor,
  { context }: Pick<ApiCall, 'context'>,
): void {
  if (image === null) imageNotFound(imageRef);
  if (image.minMemoryMib > flavor.memoryMib) {
    throw memoryTooSmall();
  }
  if (flavor.rootGib === 0) {
    const target = { projectId: context.projectId };
    if (allows(context, 'os_compute_api:servers:create:zero_disk_flavor', target)) return;
    throw new ApiFault(403, 'Only volume-backed servers are allowed for flavors with zero disk.');
  }
  const root = gibToBytes(gib(flavor.rootGib));
  if (image.size > root) {
    const sizes = `Flavor disk is ${root} bytes, image is ${image.size} bytes.`;
    throw new ApiFault(400, `Flavor's disk is too small for requested image. ${sizes}`);
  }
  if (image.minDiskGib > flavor.rootGib) {
    const sizes = `Flavor disk is ${root} bytes, minimum size is ${gibToBytes(gib(image.minDiskGib))} bytes.`;
    throw new ApiFault(400, `Flavor's disk is smaller than the minimum size specified in image metadata. ${sizes}`);
  }
}

function checkBootVolume(request: ServerRequest, facts: CreateFacts, flavor: Flavor): void {
  const boot = request.volumes.find(({ bootIndex }) => bootIndex === 0);
  if (boot === undefined) throw new ApiFault(400, 'Block Device Mapping is Invalid: there is no boot volume.');
  const { bootable, imageMetadata } = volumeOf(facts, boot.volumeId);
  if (!bootable) throw new ApiFault(400, `Block Device ${boot.volumeId} is not bootable.`);
  if (Number(imageMetadata['min_ram'] ?? 0) > flavor.memoryMib) throw memoryTooSmall();
}

const memoryTooSmall = (): ApiFault => new ApiFault(400, "Flavor's memory is too small for requested image.");

/** What the mapping asks for, else what the image says: the server's own, or the one that its boot volume was made of. */
function rootBus(request: ServerRequest, facts: CreateFacts): 'virtio' | 'scsi' {
  if (facts.images.image !== null) return facts.images.image.properties.diskBus;
  const boot = request.volumes.find(({ bootIndex }) => bootIndex === 0);
  if (boot === undefined || boot.bus !== null) return boot?.bus ?? 'virtio';
  const bus = volumeOf(facts, boot.volumeId).imageMetadata['hw_disk_bus'] ?? 'virtio';
  if (bus === 'virtio' || bus === 'scsi') return bus;
  throw new ApiFault(400, `The disk bus ${bus} of the boot volume's image is not served: virtio or scsi.`);
}

function volumeOf(facts: CreateFacts, id: VolumeId): VolumeFacts {
  const volume = facts.volumes.get(id);
  if (volume === undefined) throw new ApiFault(400, `Block Device Mapping is Invalid: failed to get volume ${id}.`);
  return volume;
}
