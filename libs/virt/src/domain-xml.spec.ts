import { describe, expect, it } from '@jest/globals';
import type { ServerId, VolumeId } from '@novella/core';
import { readDomain } from './domain-read.js';
import { detachXml, diskXml, type DomainOptions, domainXml, freeScsiUnits, type SecretName } from './domain-xml.js';
import type { GuestDisk, GuestSpec } from './driver.js';

const SERVER = '5e50e500-0000-4000-8000-000000000001' as ServerId;
const VOLUME = '70100000-0000-4000-8000-000000000001' as VolumeId;
const OTHER = '70100000-0000-4000-8000-000000000002' as VolumeId;

const disk = (changes: Partial<GuestDisk> = {}): GuestDisk => ({
  volume: VOLUME,
  source: { kind: 'file', path: '/volumes/one' },
  format: 'raw',
  device: 'vdb',
  bus: 'virtio',
  shareable: false,
  readOnly: false,
  ...changes,
});
const spec = (changes: Partial<GuestSpec> = {}): GuestSpec => ({
  server: SERVER,
  domainName: 'instance-00000001',
  displayName: 'one',
  projectId: 'p1',
  vcpus: 2,
  memoryMib: 128,
  kernel: null,
  rootDisk: null,
  bootVolume: null,
  disks: [],
  consolePath: '/state/console.log',
  ...changes,
});
const options: DomainOptions = { domainType: 'qemu', emulator: '/usr/bin/qemu', machine: 'q35', pciRootPorts: 2 };

describe('diskXml', () => {
  it.each<readonly [string, GuestDisk, number | null, boolean, string]>([
    [
      'a file on virtio',
      disk(),
      null,
      false,
      `<disk type='file' device='disk'><driver name='qemu' type='raw' cache='none'/><alias name='ua-${VOLUME}'/>` +
        `<source file='/volumes/one'/><target dev='vdb' bus='virtio'/><serial>${VOLUME}</serial></disk>`,
    ],
    [
      'a qcow2 file, whose claim of a backing file is not followed',
      disk({ format: 'qcow2' }),
      null,
      false,
      `<disk type='file' device='disk'><driver name='qemu' type='qcow2' cache='none'/><alias name='ua-${VOLUME}'/>` +
        `<source file='/volumes/one'/><backingStore/><target dev='vdb' bus='virtio'/><serial>${VOLUME}</serial></disk>`,
    ],
    [
      'a block device on SCSI, with native I/O and its place',
      disk({ source: { kind: 'block', path: '/dev/loop0' }, device: 'sda', bus: 'scsi' }),
      3,
      false,
      `<disk type='block' device='disk'><driver name='qemu' type='raw' cache='none' io='native'/><alias name='ua-${VOLUME}'/>` +
        `<source dev='/dev/loop0'/><target dev='sda' bus='scsi'/><serial>${VOLUME}</serial>` +
        `<address type='drive' controller='0' bus='0' target='0' unit='3'/></disk>`,
    ],
    [
      'a shared, read-only boot disk',
      disk({ shareable: true, readOnly: true }),
      null,
      true,
      `<disk type='file' device='disk'><driver name='qemu' type='raw' cache='none'/><alias name='ua-${VOLUME}'/>` +
        `<source file='/volumes/one'/><target dev='vdb' bus='virtio'/><serial>${VOLUME}</serial>` +
        `<readonly/><shareable/><boot order='1'/></disk>`,
    ],
    [
      'a path that XML would take for something else',
      disk({ source: { kind: 'file', path: `/v/'/><evil x="&` } }),
      null,
      false,
      `<disk type='file' device='disk'><driver name='qemu' type='raw' cache='none'/><alias name='ua-${VOLUME}'/>` +
        `<source file='/v/&apos;/&gt;&lt;evil x=&quot;&amp;'/><target dev='vdb' bus='virtio'/><serial>${VOLUME}</serial></disk>`,
    ],
  ])('writes %s', (_name, given, unit, boot, xml) => {
    expect(diskXml({ disk: given, unit }, boot)).toBe(xml);
  });
});

describe('diskXml of an image in a Ceph cluster', () => {
  const rbd = {
    kind: 'network',
    path: 'volumes/volume-1',
    monitors: [
      { host: '10.0.0.1', port: 6789 },
      { host: 'fd00::2', port: 6790 },
    ],
    auth: { username: 'cinder', secretUuid: null },
    discard: true,
  } as const;
  const hosts = `<host name='10.0.0.1' port='6789'/><host name='fd00::2' port='6790'/>`;
  const after = `<target dev='vdb' bus='virtio'/><serial>${VOLUME}</serial></disk>`;

  it.each<[string, SecretName, string]>([
    ['a secret of our own', { usage: 'novella 1 2 cephx' }, `usage='novella 1 2 cephx'`],
    ["the operator's secret", { uuid: OTHER }, `uuid='${OTHER}'`],
  ])('proves who it is with %s', (_, name, written) => {
    expect(diskXml({ disk: disk({ source: rbd }), unit: null }, false, new Map([[VOLUME, { cephx: name }]]))).toBe(
      `<disk type='network' device='disk'><driver name='qemu' type='raw' cache='none' discard='unmap'/>` +
        `<alias name='ua-${VOLUME}'/><source protocol='rbd' name='volumes/volume-1'>${hosts}</source>` +
        `<auth username='cinder'><secret type='ceph' ${written}/></auth>${after}`,
    );
  });

  it('proves nothing to a cluster that lets everybody in, and discards only where it is told to', () => {
    const source = { ...rbd, auth: null, discard: false };
    expect(diskXml({ disk: disk({ source }), unit: null })).toBe(
      `<disk type='network' device='disk'><driver name='qemu' type='raw' cache='none'/>` +
        `<alias name='ua-${VOLUME}'/><source protocol='rbd' name='volumes/volume-1'>${hosts}</source>${after}`,
    );
  });

  it('is read back, with the secret where it stands', () => {
    const secrets = new Map([[VOLUME, { cephx: { usage: 'novella 1 2 cephx' } }]]);
    const disks = [disk({ source: rbd }), disk({ volume: OTHER, device: 'vdc', source: { ...rbd, auth: null } })];
    const onCeph = { kind: 'network', path: 'volumes/volume-1' };
    expect(readDomain(domainXml(spec({ disks }), options, secrets)).volumeDisks).toMatchObject([
      { ...onCeph, volume: VOLUME, secretUsages: ['novella 1 2 cephx'] },
      { ...onCeph, volume: OTHER, secretUsages: [] },
    ]);
  });
});

describe('diskXml of an encrypted volume', () => {
  const secret = { luks: { usage: 'novella 1 2 luks' } };

  it('has QEMU open it, with a secret of our own', () => {
    expect(diskXml({ disk: disk({ format: 'luks' }), unit: null }, false, new Map([[VOLUME, secret]]))).toBe(
      `<disk type='file' device='disk'><driver name='qemu' type='raw' cache='none'/><alias name='ua-${VOLUME}'/>` +
        `<source file='/volumes/one'/><target dev='vdb' bus='virtio'/><serial>${VOLUME}</serial>` +
        `<encryption format='luks'><secret type='passphrase' usage='novella 1 2 luks'/></encryption></disk>`,
    );
  });

  it('is never written without one', () => {
    expect(() => diskXml({ disk: disk({ format: 'luks' }), unit: null })).toThrow('no secret');
  });

  it('is read back', () => {
    const disks = [disk({ format: 'luks' }), disk({ volume: OTHER, device: 'vdc' })];
    expect(readDomain(domainXml(spec({ disks }), options, new Map([[VOLUME, secret]]))).volumeDisks).toMatchObject([
      { volume: VOLUME, format: 'luks', secretUsages: ['novella 1 2 luks'] },
      { volume: OTHER, format: 'raw', secretUsages: [] },
    ]);
  });
});

describe('domainXml', () => {
  it('writes a guest with a root disk and its volumes', () => {
    const disks = [disk({ bus: 'scsi', device: 'sdb' }), disk({ volume: OTHER, bus: 'scsi', device: 'sdc' })];
    const rootDisk = { path: '/images/root', format: 'qcow2', bus: 'scsi' } as const;
    expect(domainXml(spec({ rootDisk, disks }), options)).toBe(
      `<domain type='qemu'><name>instance-00000001</name><uuid>${SERVER}</uuid>` +
        `<metadata><novella:instance xmlns:novella='urn:novella:instance:1'><novella:server>${SERVER}</novella:server>` +
        `<novella:project>p1</novella:project><novella:displayName>one</novella:displayName></novella:instance></metadata>` +
        `<memory unit='MiB'>128</memory><vcpu>2</vcpu><os><type arch='x86_64' machine='q35'>hvm</type></os>` +
        `<features><acpi/><apic/></features><clock offset='utc'/>` +
        `<on_poweroff>destroy</on_poweroff><on_reboot>restart</on_reboot><on_crash>destroy</on_crash>` +
        `<devices><emulator>/usr/bin/qemu</emulator><controller type='pci' index='0' model='pcie-root'/>` +
        `<controller type='pci' model='pcie-root-port'/><controller type='pci' model='pcie-root-port'/>` +
        `<controller type='scsi' index='0' model='virtio-scsi'/><controller type='usb' model='none'/>` +
        `<disk type='file' device='disk'><driver name='qemu' type='qcow2' cache='none'/><source file='/images/root'/>` +
        `<backingStore/><target dev='sda' bus='scsi'/><boot order='1'/>` +
        `<address type='drive' controller='0' bus='0' target='0' unit='0'/></disk>` +
        disks.map((one, index) => diskXml({ disk: one, unit: index + 1 })).join('') +
        `<serial type='file'><source path='/state/console.log'/></serial>` +
        `<channel type='unix'><target type='virtio' name='org.qemu.guest_agent.0'/></channel>` +
        `<memballoon model='none'/></devices></domain>`,
    );
  });

  it('boots from the boot volume alone', () => {
    const xml = domainXml(
      spec({ disks: [disk(), disk({ volume: OTHER, device: 'vdc' })], bootVolume: OTHER }),
      options,
    );
    expect(xml.match(/<boot order='1'\/>/g)).toHaveLength(1);
    expect(xml).toContain(`<serial>${OTHER}</serial><boot order='1'/>`);
  });

  it('boots a kernel, and asks the host for its CPU under KVM', () => {
    const kernel = { kernelPath: '/k', initrdPath: '/i', commandLine: 'a="1" b<2' };
    const xml = domainXml(spec({ kernel }), { ...options, domainType: 'kvm' });
    expect(xml).toContain(
      'hvm</type><kernel>/k</kernel><initrd>/i</initrd><cmdline>a=&quot;1&quot; b&lt;2</cmdline></os>',
    );
    expect(xml).toContain(`<domain type='kvm'>`);
    expect(xml).toContain(`<cpu mode='host-model'/>`);
  });

  it.each(['\u0000', '\u0007', '\ud800', '\ufffe'])(
    'keeps %j out of the display name, and refuses it in a path',
    (character) => {
      expect(domainXml(spec({ displayName: `a${character}b` }), options)).toContain('>a\ufffdb<');
      const broken = (): string => domainXml(spec({ consolePath: `/c${character}` }), options);
      expect(broken).toThrow(expect.objectContaining({ code: 'hypervisor-refused' }));
    },
  );

  it('is read back as it was meant', () => {
    const onFile = { kind: 'file', format: 'raw', secretUsages: [] };
    const path = `/v/<a> & 'b' "c" \n€ &amp; &#10;`;
    const disks = [disk({ source: { kind: 'file', path } }), disk({ volume: OTHER, bus: 'scsi', device: 'sda' })];
    expect(readDomain(domainXml(spec({ disks, consolePath: path }), options))).toEqual({
      name: 'instance-00000001',
      uuid: SERVER,
      id: null,
      server: SERVER,
      volumeDisks: [
        { ...onFile, volume: VOLUME, alias: `ua-${VOLUME}`, device: 'vdb', bus: 'virtio', path },
        { ...onFile, volume: OTHER, alias: `ua-${OTHER}`, device: 'sda', bus: 'scsi', path: '/volumes/one' },
      ],
      diskDevices: ['vdb', 'sda'],
      scsiUnits: [0],
      consolePath: path,
    });
  });
});

describe('detachXml', () => {
  it('names the target', () => {
    expect(detachXml('vdb', 'virtio')).toBe(`<disk type='file' device='disk'><target dev='vdb' bus='virtio'/></disk>`);
  });
});

describe('freeScsiUnits', () => {
  it.each([
    [[], 2, [0, 1]],
    [[0, 1, 3], 2, [2, 4]],
    [[5], 1, [0]],
  ])('beside %j gives %i: %j', (taken, count, free) => {
    expect(freeScsiUnits(taken, count)).toEqual(free);
  });
});
