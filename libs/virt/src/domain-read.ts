import { NovellaError, parseServerId, parseVolumeId, type ServerId, type VolumeId } from '@novella/core';
import { XMLParser } from 'fast-xml-parser';
import { z } from 'zod';
import { unescapeXml } from './xml-text.js';

/** Pure: what we read back from libvirt, as far as anybody decides by it. */
export interface DomainDescription {
  readonly name: string;
  readonly uuid: string;
  /** Another with each start; null in a definition and when the domain is off. */
  readonly id: number | null;
  /** Whose it is, by our metadata; null: somebody else's. */
  readonly server: ServerId | null;
  readonly volumeDisks: readonly VolumeDisk[];
  /** Target names of all disks, those without a volume included. */
  readonly diskDevices: readonly string[];
  readonly scsiUnits: readonly number[];
  readonly consolePath: string | null;
}

/** A disk whose serial is a volume's id. */
export interface VolumeDisk {
  readonly volume: VolumeId;
  readonly alias: string | null;
  readonly device: string;
  readonly bus: string;
  readonly path: string;
  readonly kind: 'file' | 'block' | 'network';
  readonly format: string;
  /** The usage by which it calls its secrets, those that it calls by their uuid left out. */
  readonly secretUsages: readonly string[];
}

const INSTANCE = 'novella:instance';
const LISTS = new Set(['domain.devices.disk', 'domain.devices.serial']);

// The prefix is ours (`metadata` writes it) and libvirt keeps it.
const attribute = z.string().optional();
const secretOwner = z.object({ secret: z.object({ '@usage': attribute }).optional() }).optional();
const encryption = z.object({ '@format': attribute, secret: z.object({ '@usage': attribute }).optional() }).optional();
const disk = z.object({
  driver: z.object({ '@type': attribute }).optional(),
  // libvirt keeps these where they were given: beside the source or within it.
  source: z
    .object({ '@file': attribute, '@dev': attribute, '@name': attribute, auth: secretOwner, encryption })
    .optional(),
  auth: secretOwner,
  encryption,
  target: z.object({ '@dev': z.string(), '@bus': z.string() }),
  serial: z.string().optional(),
  alias: z.object({ '@name': z.string() }).optional(),
  address: z.object({ '@type': z.string(), '@unit': attribute }).optional(),
});
const serial = z.object({ source: z.object({ '@path': attribute }).optional() });
const domain = z.object({
  '@id': z.coerce.number().int().optional(),
  name: z.string(),
  uuid: z.string(),
  metadata: z.object({ [INSTANCE]: z.object({ 'novella:server': z.string() }).optional() }).optional(),
  devices: z.object({ disk: z.array(disk).default([]), serial: z.array(serial).default([]) }),
});
const documentSchema = z.object({ domain });

/** Error hypervisor-refused when the XML is not a domain's. */
export function readDomain(xml: string): DomainDescription {
  const parsed = documentSchema.safeParse(parseXml(xml));
  if (!parsed.success) {
    throw new NovellaError('hypervisor-refused', `libvirt's XML is not a domain's: ${z.prettifyError(parsed.error)}`);
  }
  const { name, uuid, metadata, devices, '@id': id = null } = parsed.data.domain;
  const server = metadata?.[INSTANCE]?.['novella:server'] ?? null;
  return {
    name,
    uuid,
    id,
    // A copy of one of our domains keeps the metadata but has an id of its own.
    server: server === uuid ? parseServerId(uuid) : null,
    volumeDisks: devices.disk.flatMap(volumeDisk),
    diskDevices: devices.disk.map(({ target }) => target['@dev']),
    scsiUnits: devices.disk.flatMap(({ target, address }) =>
      target['@bus'] === 'scsi' && address?.['@type'] === 'drive' ? [Number(address['@unit'])] : [],
    ),
    consolePath: devices.serial[0]?.source?.['@path'] ?? null,
  };
}

function volumeDisk(read: z.infer<typeof disk>): VolumeDisk[] {
  const { driver, source, auth, target, serial: id, alias } = read;
  const volume = parseVolumeId(id ?? '');
  const opened = source && openedAs(source);
  if (volume === null || !opened) return [];
  const luks = [read.encryption, source.encryption].some((found) => found?.['@format'] === 'luks');
  const format = luks ? 'luks' : (driver?.['@type'] ?? 'raw'); // libvirt's own default
  const secretUsages = [auth, source.auth, read.encryption, source.encryption].flatMap(
    (owner) => owner?.secret?.['@usage'] ?? [],
  );
  const { '@dev': device, '@bus': bus } = target;
  return [{ volume, ...opened, format, alias: alias?.['@name'] ?? null, device, bus, secretUsages }];
}

type Source = NonNullable<z.infer<typeof disk>['source']>;

function openedAs({
  '@dev': device,
  '@file': file,
  '@name': name,
}: Source): Pick<VolumeDisk, 'kind' | 'path'> | undefined {
  if (device !== undefined) return { kind: 'block', path: device };
  if (file !== undefined) return { kind: 'file', path: file };
  return name === undefined ? undefined : { kind: 'network', path: name };
}

function parseXml(xml: string): unknown {
  // The parser's own decoding leaves numeric references as they are.
  const parser = new XMLParser({
    ignoreAttributes: false,
    attributeNamePrefix: '@',
    parseTagValue: false,
    trimValues: false,
    processEntities: false,
    tagValueProcessor: (_name, value) => unescapeXml(value),
    attributeValueProcessor: (_name, value) => unescapeXml(value),
    isArray: (_name, path) => LISTS.has(String(path)),
  });
  try {
    return parser.parse(xml);
  } catch (error) {
    throw new NovellaError('hypervisor-refused', "libvirt's XML cannot be read", {}, { cause: error });
  }
}
