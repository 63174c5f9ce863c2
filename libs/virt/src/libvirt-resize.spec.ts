import { describe, expect, it } from '@jest/globals';
import { type Bytes, bytes, type PowerState, type ServerId, type VolumeId } from '@novella/core';
import { resizeLiveDisk } from './libvirt-resize.js';

const SERVER = '11111111-1111-4111-8111-111111111111' as ServerId;
const VOLUME = '22222222-2222-4222-8222-222222222222' as VolumeId;
type Io = Parameters<typeof resizeLiveDisk>[0];

interface Disk {
  readonly format: 'raw' | 'qcow2' | 'luks';
  readonly kind: 'file' | 'block' | 'network';
  /** What the guest sees, and what the host has. */
  readonly capacity: number;
  readonly hostBytes: number;
}
const DISK: Disk = { format: 'raw', kind: 'file', capacity: 1, hostBytes: 2 };

/** Resizes the one disk of a guest; `told` are the sizes that QEMU was given, and it takes at most `takes`. */
async function resize(size: number, disk: Partial<Disk> = {}, powerState: PowerState = 'running', takes = Infinity) {
  const { format, kind, ...seen } = { ...DISK, ...disk };
  const told: Bytes[] = [];
  let { capacity } = seen;
  const io = {
    client: {
      call: (_: string, args: { size: bigint }) => {
        told.push(bytes(Number(args.size)));
        capacity = Math.min(Number(args.size), takes);
        return Promise.resolve();
      },
    },
    domains: {
      find: () => Promise.resolve({ powerState, volumeDisks: [{ volume: VOLUME, device: 'vdb', format, kind }] }),
      shownSize: () => Promise.resolve(bytes(capacity)),
    },
    hostSize: () => Promise.resolve(bytes(seen.hostBytes)),
  } as unknown as Io;
  const shown = await resizeLiveDisk(io, SERVER, VOLUME, bytes(size)).catch((error: unknown) => error);
  return { shown, told };
}

describe('the disk of a live guest', () => {
  it('is told the new size, and what is shown then is read back (rule 2.6f)', async () => {
    expect(await resize(2)).toEqual({ shown: 2, told: [2] });
    expect(await resize(4, { hostBytes: 4 }, 'paused', 3)).toEqual({ shown: 3, told: [4] });
  });

  it('is never told less than it shows (rule 2.6c)', async () => {
    expect(await resize(1, { capacity: 2 })).toEqual({ shown: 2, told: [] });
  });

  it('is told once more what it shows already: the guest may not have heard it', async () => {
    expect(await resize(2, { capacity: 2 })).toEqual({ shown: 2, told: [2] });
    const longer = await resize(2, { capacity: 2, hostBytes: 3 });
    expect(longer).toMatchObject({ shown: { code: 'hypervisor-refused' }, told: [] });
  });

  it.each(['file', 'block'] as const)(
    'never has QEMU make a raw %s larger than the host has it (rule 2.6d)',
    async (kind) => {
      expect(await resize(3, { kind })).toMatchObject({ shown: { code: 'disk-cannot-grow' }, told: [] });
    },
  );

  it('never has QEMU cut a raw file that is longer than the wanted size (rule 2.6c)', async () => {
    expect(await resize(2, { hostBytes: 3 })).toMatchObject({ shown: { code: 'hypervisor-refused' }, told: [] });
    expect(await resize(2, { hostBytes: 3, kind: 'block' })).toEqual({ shown: 2, told: [2] });
  });

  it('of an image that only QEMU can reach is told what was measured elsewhere', async () => {
    expect(await resize(3, { kind: 'network', hostBytes: 0 })).toEqual({ shown: 3, told: [3] });
    expect(await resize(1, { kind: 'network', hostBytes: 0, capacity: 2 })).toEqual({ shown: 2, told: [] });
  });

  it('of an encrypted device is told what was measured without its header', async () => {
    expect(await resize(3, { format: 'luks', hostBytes: 9 })).toEqual({ shown: 3, told: [3] });
  });

  it('is grown by QEMU itself when it is qcow2', async () => {
    expect(await resize(3, { format: 'qcow2' })).toEqual({ shown: 3, told: [3] });
  });

  it('is left alone while the guest is off (rule 2.6e)', async () => {
    expect(await resize(2, {}, 'shutdown')).toMatchObject({ shown: { code: 'hypervisor-refused' }, told: [] });
  });
});
