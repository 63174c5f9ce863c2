import { describe, expect, it } from '@jest/globals';
import { assignDevices, byDevice, firstFreeDevice } from './devices.js';

const mapping = (bus: 'virtio' | 'scsi', device: string | null = null, bootIndex: number | null = null) => ({
  bus,
  device,
  bootIndex,
});

describe('device names', () => {
  it.each([
    ['virtio', [], '/dev/vda'],
    ['virtio', ['/dev/vda', '/dev/vdc'], '/dev/vdb'],
    ['scsi', ['/dev/vda'], '/dev/sda'],
  ] as const)('on %s with %p taken -> %s', (bus, taken, device) => {
    expect(firstFreeDevice(bus, new Set(taken))).toBe(device);
  });

  it('goes on with two letters after z', () => {
    const taken = new Set<string>();
    for (let count = 0; count < 53; count += 1) taken.add(firstFreeDevice('virtio', taken));
    const names = [...taken];
    expect([names[25], names[26], names[51], names[52]]).toEqual(['/dev/vdz', '/dev/vdaa', '/dev/vdaz', '/dev/vdba']);
    const shuffled = names.map((device) => ({ device })).reverse();
    expect(shuffled.sort(byDevice).map(({ device }) => device)).toEqual(names);
  });

  it.each([
    ['a local root disk keeps the first name', [mapping('virtio'), mapping('virtio')], ['/dev/vdb', '/dev/vdc']],
    ['the boot volume takes it', [mapping('virtio'), mapping('virtio', null, 0)], ['/dev/vdb', '/dev/vda']],
    ['a wish comes first', [mapping('virtio'), mapping('virtio', '/dev/vdb')], ['/dev/vdc', '/dev/vdb']],
    ['a wish that is taken gives way', [mapping('virtio', '/dev/vda'), mapping('scsi')], ['/dev/vdb', '/dev/sda']],
    ['a boot volume may wish', [mapping('virtio'), mapping('virtio', '/dev/vdc', 0)], ['/dev/vda', '/dev/vdc']],
  ])('%s', (_case, mappings, devices) => {
    expect(assignDevices({ diskBus: 'virtio' }, mappings)).toEqual(devices);
  });
});
