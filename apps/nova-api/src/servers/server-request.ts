import { parseVolumeId, type VolumeId } from '@novella/core';
import { ApiFault } from '../http/fault.js';
import { has } from '../http/microversion.js';
import type { ApiCall } from '../http/request-context.js';
import { isTrue } from '../http/rules.js';
import { MOST_METADATA_ITEMS } from '../limits/quotas.js';
import type { BlockDeviceDto, CreateServerDto, ServerDto } from './create-server.dto.js';

/**
 * What a valid body asks for, in our terms; a clear 400 for what Nova would do and this service does not.
 * Rules of block devices: nova:nova/block_device.py from_api, nova:nova/compute/api.py _validate_bdm.
 */
export interface ServerRequest {
  readonly name: string;
  readonly description: string | null;
  readonly flavorRef: string;
  /** null: boots from the volume whose bootIndex is 0. */
  readonly imageRef: string | null;
  readonly metadata: Readonly<Record<string, string>>;
  readonly tags: readonly string[];
  /** null: from the name. */
  readonly hostname: string | null;
  readonly keyName: string | null;
  readonly userData: string | null;
  readonly accessIpV4: string | null;
  readonly accessIpV6: string | null;
  readonly configDrive: boolean;
  readonly autoDiskConfig: boolean;
  /** How many servers, all alike. */
  readonly count: number;
  /** As they are answered again. */
  readonly securityGroups: readonly { readonly name?: string }[];
  readonly availabilityZone: string | null;
  readonly adminPass: string | null;
  readonly returnReservationId: boolean;
  readonly volumes: readonly RequestedVolume[];
}

export interface RequestedVolume {
  readonly volumeId: VolumeId;
  readonly bootIndex: number | null;
  readonly device: string | null;
  readonly bus: 'virtio' | 'scsi' | null;
  readonly tag: string | null;
  readonly deleteOnTermination: boolean;
}

/** The only zone there is. */
export const AVAILABILITY_ZONE = 'nova';

/** By one request; Nova's quota of servers would say so. */
const MOST_SERVERS = 100;

export function readServerRequest(
  body: CreateServerDto,
  { context, microversion }: Pick<ApiCall, 'context' | 'microversion'>,
): ServerRequest {
  const { server } = body;
  refuseUnserved(body, context.projectId ?? 'none');
  const count = countOf(server);
  if (Object.keys(server.metadata ?? {}).length > MOST_METADATA_ITEMS) throw tooManyItems();
  const imageRef = server.imageRef === undefined || server.imageRef === '' ? null : server.imageRef;
  const devices = server.block_device_mapping_v2 ?? [];
  const volumes = devices.map((device) => readDevice(device, imageRef)).filter((volume) => volume !== null);
  checkBootOrder(devices, imageRef);
  for (const key of ['volumeId', 'device'] as const) {
    const given = volumes.map((volume) => volume[key]).filter((value) => value !== null);
    if (new Set<string>(given).size < given.length) refuseDevice('a volume or device name is given twice');
  }
  if (count > 1 && volumes.length > 0) {
    throw new ApiFault(400, 'Cannot attach one or more volumes to multiple instances');
  }
  if (count > 1 && server.hostname !== undefined) {
    throw new ApiFault(400, 'Unable to allocate a single hostname to multiple instances');
  }
  return {
    name: server.name,
    // It was the name until users could say it.
    description: has(microversion, 'servers.description') ? (server.description ?? null) : server.name,
    flavorRef: idOfLink(String(server.flavorRef)),
    imageRef,
    metadata: server.metadata ?? {},
    tags: server.tags ?? [],
    hostname: server.hostname ?? null,
    keyName: server.key_name ?? null,
    userData: server.user_data ?? null,
    accessIpV4: server.accessIPv4 ?? null,
    accessIpV6: server.accessIPv6 ?? null,
    configDrive: isTrue(server.config_drive),
    autoDiskConfig: server['OS-DCF:diskConfig'] === 'AUTO',
    count,
    securityGroups: server.security_groups ?? [{ name: 'default' }],
    availabilityZone: server.availability_zone ?? null,
    adminPass: server.adminPass ?? null,
    returnReservationId: isTrue(server.return_reservation_id),
    volumes,
  };
}

export const tooManyItems = (): ApiFault =>
  new ApiFault(403, `Maximum number of metadata items exceeds ${MOST_METADATA_ITEMS}`);

/** As many as there may be, and the fewest that are asked for at least. */
function countOf(server: ServerDto): number {
  const fewest = Number(server.min_count ?? 1);
  const most = Number(server.max_count ?? fewest);
  if (fewest > most) throw new ApiFault(400, 'min_count must be <= max_count');
  if (fewest > MOST_SERVERS) {
    throw new ApiFault(403, `Quota exceeded for instances: Requested ${fewest}, but one request makes ${MOST_SERVERS}`);
  }
  return Math.min(most, MOST_SERVERS);
}

/** There are no networks, and Nova's words for who has none. */
function refuseNetworks(networks: ServerDto['networks'], projectId: string): void {
  if (networks === 'auto') {
    throw new ApiFault(400, `Unable to automatically allocate a network for project ${projectId}`);
  }
  if (networks === undefined || networks === 'none') return;
  const [first] = networks;
  if (first === undefined) return;
  const { port, uuid } = Object(first) as { readonly port?: unknown; readonly uuid?: unknown };
  if (typeof port === 'string') throw new ApiFault(400, `Port ${port} could not be found.`);
  if (typeof uuid === 'string') throw new ApiFault(400, `Network ${uuid} could not be found.`);
  throw new ApiFault(400, 'Bad networks format');
}

/** Fields that Nova would act on and this service cannot: each with what it says about it. */
const UNSERVED: readonly [keyof ServerDto, asks: (server: ServerDto) => boolean, message: string][] = [
  [
    'block_device_mapping',
    (server) => (server.block_device_mapping ?? []).length > 0,
    "Use 'block_device_mapping_v2': the older 'block_device_mapping' is not served.",
  ],
  [
    'security_groups',
    (server) => (server.security_groups ?? []).some(({ name }) => name !== undefined && name !== 'default'),
    'Security group not found: there is only default.',
  ],
  [
    'availability_zone',
    (server) => server.availability_zone !== undefined && server.availability_zone !== AVAILABILITY_ZONE,
    'The requested availability zone is not available',
  ],
  [
    'personality',
    (server) => (server.personality ?? []).length > 0,
    'personality is not served: files cannot be put into the server.',
  ],
  [
    'trusted_image_certificates',
    (server) => (server.trusted_image_certificates ?? []).length > 0,
    'trusted_image_certificates are not served: images are not verified.',
  ],
  [
    'host',
    (server) => server.host !== undefined || server.hypervisor_hostname !== undefined,
    'A host cannot be asked for.',
  ],
];

function refuseUnserved(body: CreateServerDto, projectId: string): void {
  const { server } = body;
  refuseNetworks(server.networks, projectId);
  const refused = UNSERVED.find(([, asks]) => asks(server));
  if (refused !== undefined) throw new ApiFault(400, refused[2]);
  const hints = { ...body['os:scheduler_hints'], ...body['OS-SCH-HNT:scheduler_hints'] };
  if (Object.keys(hints).length > 0) throw new ApiFault(400, 'Scheduler hints are not served.');
}

/** null: the entry that names the image itself as the root disk. */
function readDevice(device: BlockDeviceDto, imageRef: string | null): RequestedVolume | null {
  if (device.source_type === undefined) refuseDevice('Invalid source_type field.');
  if (device.uuid === undefined && device.source_type !== 'blank') refuseDevice('Missing device UUID.');
  if (device.source_type === 'image' && device.destination_type === 'local') {
    if (bootIndexOf(device) !== 0) refuseDevice('Mapping image to local is not supported.');
    if (device.uuid !== imageRef) refuseDevice('the root image must be the imageRef.');
    return null;
  }
  if (device.source_type !== 'volume') refuseDevice(`source_type ${device.source_type} is not served: give a volume.`);
  if (device.destination_type === 'local') refuseDevice('a volume has the destination_type volume.');
  const volumeId = parseVolumeId((device.uuid ?? '').toLowerCase());
  if (volumeId === null) refuseDevice(`unable to get volume ${device.uuid ?? ''}.`);
  if (isTrue(device.no_device) || device.no_device === '') refuseDevice('no_device is not served.');
  if (device.volume_type !== undefined && device.volume_type !== null) refuseDevice('the volume has its type already.');
  if ((device.guest_format ?? '') !== '') refuseDevice('guest_format is for blank devices.');
  if (!['', 'disk'].includes(device.device_type ?? ''))
    refuseDevice(`device_type ${device.device_type ?? ''} is not served.`);
  return {
    volumeId,
    bootIndex: bootIndexOf(device),
    device: device.device_name === undefined ? null : withDev(device.device_name),
    bus: readBus(device.disk_bus),
    tag: device.tag ?? null,
    deleteOnTermination: isTrue(device.delete_on_termination),
  };
}

/** A flavor may be named by a link to it. */
const idOfLink = (reference: string): string => reference.split('?', 1)[0]?.split('/').at(-1) ?? '';

const withDev = (name: string): string => (name.startsWith('/dev/') ? name : `/dev/${name}`);

function readBus(bus: string | undefined): 'virtio' | 'scsi' | null {
  if (bus === undefined || bus === '') return null;
  if (bus === 'virtio' || bus === 'scsi') return bus;
  refuseDevice(`disk_bus ${bus} is not served: virtio or scsi.`);
}

/** null: not for booting. */
function bootIndexOf({ boot_index: given }: BlockDeviceDto): number | null {
  if (given === undefined || given === null) return null;
  const index = Number(given);
  return index < 0 ? null : index;
}

/** The devices to boot from are exactly 0, 1, 2..; an image that is not alone must be listed among them. */
function checkBootOrder(devices: readonly BlockDeviceDto[], imageRef: string | null): void {
  if (devices.length === 0) {
    if (imageRef === null) throw new ApiFault(400, 'Invalid imageRef provided.');
    return;
  }
  const order = devices.map(bootIndexOf).filter((index) => index !== null);
  const wrong = order.length === 0 || order.toSorted((a, b) => a - b).some((index, place) => index !== place);
  const root = devices.find((device) => bootIndexOf(device) === 0);
  if (wrong || (imageRef !== null && root?.source_type !== 'image')) {
    refuseDevice('Boot sequence for the instance and image/block device mapping combination is not valid.');
  }
}

function refuseDevice(why: string): never {
  throw new ApiFault(400, `Block Device Mapping is Invalid: ${why}`);
}
