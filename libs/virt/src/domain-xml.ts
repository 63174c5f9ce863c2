import type { HostDevice, RbdDevice } from '@novella/brick';
import { assertNever, type ServerId, type VolumeId } from '@novella/core';
import type { GuestDisk, GuestSpec, VolumeKey } from './driver.js';
import { cleanText, escapeXml } from './xml-text.js';

/** Pure: what we write into libvirt. Mirrors nova:virt/libvirt/config.py and libvirt:docs/formatdomain.rst. */
export const NAMESPACE = 'urn:novella:instance:1';

export interface DomainOptions {
  readonly domainType: 'qemu' | 'kvm';
  readonly emulator: string;
  /** How many PCI devices (each virtio disk is one) the guest can have, those of its start included. */
  readonly pciRootPorts: number;
  readonly machine: string;
}

/** By which name XML calls a secret that libvirt holds. */
export type SecretName = { readonly uuid: string } | { readonly usage: string };

/** By volume, and by what it is for: the secrets that disks are opened with. */
export type SecretNames = ReadonlyMap<VolumeId, Partial<Record<VolumeKey['purpose'], SecretName>>>;

/** `unit` is the disk's place on the SCSI controller; null on another bus. */
export interface PlacedDisk {
  readonly disk: GuestDisk;
  readonly unit: number | null;
}

const NO_SECRETS: SecretNames = new Map();

/** Said, so that neither libvirt nor QEMU looks into the image or follows what it claims. */
const NO_BACKING_FILE = '<backingStore/>';

export const diskAlias = (volume: VolumeId): string => `ua-${volume}`;

export function domainXml(spec: GuestSpec, options: DomainOptions, secrets = NO_SECRETS): string {
  const devices = [
    element('emulator', {}, escapeXml(options.emulator)),
    ...pciControllers(options.pciRootPorts),
    `<controller type='scsi' index='0' model='virtio-scsi'/>`,
    `<controller type='usb' model='none'/>`,
    ...disks(spec, secrets),
    element('serial', { type: 'file' }, emptyElement('source', { path: spec.consolePath })),
    `<channel type='unix'><target type='virtio' name='org.qemu.guest_agent.0'/></channel>`,
    `<memballoon model='none'/>`,
  ];
  return [
    element('domain', { type: options.domainType }, [
      element('name', {}, escapeXml(spec.domainName)),
      element('uuid', {}, spec.server),
      element('metadata', {}, metadata(spec)),
      element('memory', { unit: 'MiB' }, String(spec.memoryMib)),
      element('vcpu', {}, String(spec.vcpus)),
      element('os', {}, operatingSystem(spec, options.machine)),
      '<features><acpi/><apic/></features>',
      ...(options.domainType === 'kvm' ? [`<cpu mode='host-model'/>`] : []),
      `<clock offset='utc'/>`,
      '<on_poweroff>destroy</on_poweroff>',
      '<on_reboot>restart</on_reboot>',
      '<on_crash>destroy</on_crash>',
      element('devices', {}, devices),
    ]),
  ].join('');
}

/** One disk of a volume, as the definition and an attach have it. nova:virt/libvirt/volume/ */
export function diskXml({ disk, unit }: PlacedDisk, boot = false, secrets = NO_SECRETS): string {
  const names = secrets.get(disk.volume) ?? {};
  return element('disk', { type: disk.source.kind, device: 'disk' }, [
    // O_DIRECT, or for Ceph no cache of the client's own.
    emptyElement('driver', { name: 'qemu', type: driverFormat(disk), cache: 'none', ...driverOf(disk.source) }),
    emptyElement('alias', { name: diskAlias(disk.volume) }),
    ...sourceXml(disk.source, names.cephx),
    ...(disk.format === 'qcow2' ? [NO_BACKING_FILE] : []),
    emptyElement('target', { dev: disk.device, bus: disk.bus }),
    element('serial', {}, disk.volume),
    ...(disk.readOnly ? ['<readonly/>'] : []),
    ...(disk.shareable ? ['<shareable/>'] : []),
    ...(boot ? [`<boot order='1'/>`] : []),
    ...(unit === null ? [] : [driveAddress(unit)]),
    ...(disk.format === 'luks' ? [luksXml(names.luks)] : []),
  ]);
}

/** libvirt calls raw what is encrypted, and says that it is beside it. */
const driverFormat = ({ format }: GuestDisk): string => (format === 'luks' ? 'raw' : format);

function luksXml(secret: SecretName | undefined): string {
  if (secret === undefined) throw new Error('an encrypted disk, and no secret to open it with');
  return element('encryption', { format: 'luks' }, emptyElement('secret', { type: 'passphrase', ...secret }));
}

function driverOf(source: HostDevice): Attributes {
  switch (source.kind) {
    case 'block':
      return { io: 'native' }; // the kernel's own asynchronous I/O, where it does not block
    case 'file':
      return {};
    case 'network':
      return source.discard ? { discard: 'unmap' } : {};
    default:
      return assertNever(source);
  }
}

function sourceXml(source: HostDevice, secret: SecretName | undefined): string[] {
  switch (source.kind) {
    case 'block':
      return [emptyElement('source', { dev: source.path })];
    case 'file':
      return [emptyElement('source', { file: source.path })];
    case 'network':
      return rbdXml(source, secret);
    default:
      return assertNever(source);
  }
}

function rbdXml({ path, monitors, auth }: RbdDevice, secret: SecretName | undefined): string[] {
  const hosts = monitors.map(({ host, port }) => emptyElement('host', { name: host, port: String(port) }));
  const source = element('source', { protocol: 'rbd', name: path }, hosts);
  if (auth === null) return [source];
  if (secret === undefined) throw new Error('a disk with cephx, and no secret to open it with');
  const proof = emptyElement('secret', { type: 'ceph', ...secret });
  return [source, element('auth', { username: auth.username }, proof)];
}

/** What libvirt needs to find a disk that is to go: it looks at the target alone. */
export function detachXml(device: string, bus: string): string {
  return element('disk', { type: 'file', device: 'disk' }, emptyElement('target', { dev: device, bus }));
}

/** The first `count` places on the SCSI controller that are not in `taken`. */
export function freeScsiUnits(taken: readonly number[], count: number): number[] {
  const free: number[] = [];
  for (let unit = 0; free.length < count; unit += 1) if (!taken.includes(unit)) free.push(unit);
  return free;
}

function metadata(spec: GuestSpec): string {
  return element('novella:instance', { 'xmlns:novella': NAMESPACE }, [
    element('novella:server', {}, spec.server satisfies ServerId),
    element('novella:project', {}, escapeXml(cleanText(spec.projectId))),
    element('novella:displayName', {}, escapeXml(cleanText(spec.displayName))),
  ]);
}

function operatingSystem(spec: GuestSpec, machine: string): string[] {
  const type = element('type', { arch: 'x86_64', machine }, 'hvm');
  if (spec.kernel === null) return [type];
  return [
    type,
    element('kernel', {}, escapeXml(spec.kernel.kernelPath)),
    element('initrd', {}, escapeXml(spec.kernel.initrdPath)),
    element('cmdline', {}, escapeXml(spec.kernel.commandLine)),
  ];
}

/** On q35 a device can only come and go behind a root port of its own. */
function pciControllers(rootPorts: number): string[] {
  const ports = Array.from({ length: rootPorts }, () => `<controller type='pci' model='pcie-root-port'/>`);
  return [`<controller type='pci' index='0' model='pcie-root'/>`, ...ports];
}

function disks(spec: GuestSpec, secrets: SecretNames): string[] {
  const root = spec.rootDisk;
  const onScsi = spec.disks.filter((disk) => disk.bus === 'scsi').length + (root?.bus === 'scsi' ? 1 : 0);
  const units = freeScsiUnits([], onScsi);
  const unitFor = (bus: string): number | null => (bus === 'scsi' ? (units.shift() ?? null) : null);
  const rootXml = root === null ? [] : [rootDiskXml(root, unitFor(root.bus), spec.bootVolume === null)];
  return [
    ...rootXml,
    ...spec.disks.map((disk) => diskXml({ disk, unit: unitFor(disk.bus) }, disk.volume === spec.bootVolume, secrets)),
  ];
}

function rootDiskXml(root: NonNullable<GuestSpec['rootDisk']>, unit: number | null, boot: boolean): string {
  return element('disk', { type: 'file', device: 'disk' }, [
    emptyElement('driver', { name: 'qemu', type: root.format, cache: 'none' }),
    emptyElement('source', { file: root.path }),
    NO_BACKING_FILE,
    emptyElement('target', { dev: root.bus === 'scsi' ? 'sda' : 'vda', bus: root.bus }),
    ...(boot ? [`<boot order='1'/>`] : []),
    ...(unit === null ? [] : [driveAddress(unit)]),
  ]);
}

const driveAddress = (unit: number): string =>
  emptyElement('address', { type: 'drive', controller: '0', bus: '0', target: '0', unit: String(unit) });

type Attributes = Readonly<Record<string, string>>;

const attributesXml = (attributes: Attributes): string =>
  Object.entries(attributes)
    .map(([name, value]) => ` ${name}='${escapeXml(value)}'`)
    .join('');

const emptyElement = (name: string, attributes: Attributes): string => `<${name}${attributesXml(attributes)}/>`;

/** `content` is XML already. */
const element = (name: string, attributes: Attributes, content: string | readonly string[]): string =>
  `<${name}${attributesXml(attributes)}>${typeof content === 'string' ? content : content.join('')}</${name}>`;
