import { describe, expect, it } from '@jest/globals';
import { readDomain } from './domain-read.js';

const UUID = '5e50e500-0000-4000-8000-000000000001';
const VOLUME = '70100000-0000-4000-8000-000000000001';

const domain = (metadata: string, devices: string): string =>
  `<domain type='qemu' id='3'>\n  <name>x</name>\n  <uuid>${UUID}</uuid>\n  ${metadata}
  <devices>\n    <emulator>/usr/bin/qemu</emulator>\n${devices}\n  </devices>\n</domain>\n`;
const ours = (server: string): string =>
  `<metadata><novella:instance xmlns:novella="urn:novella:instance:1"><novella:server>${server}</novella:server></novella:instance></metadata>`;

describe('readDomain', () => {
  it.each([
    ['ours', ours(UUID), UUID],
    ['without metadata', '', null],
    [
      "somebody else's",
      `<metadata><nova:instance xmlns:nova='x'><nova:name>a</nova:name></nova:instance></metadata>`,
      null,
    ],
    ['a copy of one of ours under another uuid', ours('5e50e500-0000-4000-8000-000000000009'), null],
  ])('knows whose it is: %s', (_whose, metadata, server) => {
    expect(readDomain(domain(metadata, '')).server).toBe(server);
  });

  it('reads the disks of volumes, and passes over others', () => {
    const xml = domain(
      ours(UUID),
      `<disk type='file' device='disk'><source file='/root'/><target dev='vda' bus='virtio'/></disk>
       <disk type='file' device='cdrom'><target dev='sdz' bus='sata'/></disk>
       <disk type='block' device='disk'><driver name='qemu' type='qcow2'/><source dev='/dev/loop1' index='2'/><backingStore/><target dev='sdb' bus='scsi'/>
         <serial>${VOLUME}</serial><alias name='ua-${VOLUME}'/><address type='drive' controller='0' bus='0' target='0' unit='7'/></disk>
       <disk type='file' device='disk'><source file='/x'/><target dev='vdc' bus='virtio'/><serial>not-a-uuid</serial></disk>
       <serial type='file'><source path='/console'/><target type='isa-serial' port='0'/></serial>`,
    );
    expect(readDomain(xml)).toMatchObject({
      id: 3,
      volumeDisks: [
        {
          volume: VOLUME,
          alias: `ua-${VOLUME}`,
          device: 'sdb',
          bus: 'scsi',
          path: '/dev/loop1',
          kind: 'block',
          format: 'qcow2',
        },
      ],
      diskDevices: ['vda', 'sdz', 'sdb', 'vdc'],
      scsiUnits: [7],
      consolePath: '/console',
    });
  });

  it('reads the secrets of a disk that it calls by their usage, wherever libvirt keeps them', () => {
    const rbd = (auth: string, inSource: string): string =>
      `<disk type='network' device='disk'>${auth}<source protocol='rbd' name='volumes/one'><host name='m' port='1'/>${inSource}</source>
       <target dev='vdb' bus='virtio'/><serial>${VOLUME}</serial></disk>`;
    const secret = (name: string): string => `<auth username='cinder'><secret type='ceph' ${name}/></auth>`;
    const usagesIn = (disk: string): unknown => readDomain(domain(ours(UUID), disk)).volumeDisks[0]?.secretUsages;
    expect(usagesIn(rbd(secret(`usage='novella a'`), ''))).toEqual(['novella a']);
    expect(usagesIn(rbd('', secret(`usage='novella b'`)))).toEqual(['novella b']);
    expect(usagesIn(rbd(secret(`uuid='${UUID}'`), ''))).toEqual([]);
    expect(usagesIn(rbd('', ''))).toEqual([]);
  });

  it.each(['', 'text', '<domain/>', '<network><name>x</name></network>', '<domain', domain('', '<disk/>')])(
    'refuses %j',
    (xml) => {
      expect(() => readDomain(xml)).toThrow(expect.objectContaining({ code: 'hypervisor-refused' }));
    },
  );
});
