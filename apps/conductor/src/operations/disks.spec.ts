import { describe, expect, it } from '@jest/globals';
import { bytes, gib, gibToBytes } from '@novella/core';
import { mapping, VOLUME } from '@novella/testing';
import { readBack } from './disks.js';

const GIB = gibToBytes(gib(1));
const OVERHEAD = bytes(2_068_480);

describe('sizes that a host has read back', () => {
  it('are recorded with the overhead, which the guest does not have to see (rule 3.2d)', () => {
    const seen = bytes(GIB - OVERHEAD);
    const disk = { volume: VOLUME, hostBytes: seen, guestBytes: seen, overheadBytes: OVERHEAD };
    const { changes, behind } = readBack([mapping({ wantedBytes: GIB })], [disk]);
    expect(changes).toMatchObject([
      { hostBytes: seen, guestBytes: seen, overheadBytes: OVERHEAD, wantedBytes: seen, size: 1 },
    ]);
    expect(behind).toEqual([]);
  });

  it('of a volume whose storage has put the header beside what was asked for are more than was wanted', () => {
    const disk = { volume: VOLUME, hostBytes: GIB, guestBytes: GIB, overheadBytes: OVERHEAD };
    const { changes, behind } = readBack([mapping({ wantedBytes: GIB })], [disk]);
    expect(changes).toMatchObject([{ guestBytes: GIB, wantedBytes: GIB - OVERHEAD, size: 1 }]);
    expect(behind).toEqual([]);
  });

  it('change nothing of an overhead that is known, and tell of a guest that sees too little', () => {
    const wantedBytes = bytes(2 * GIB - OVERHEAD);
    const seen = bytes(GIB - OVERHEAD);
    const known = mapping({ wantedBytes, overheadBytes: OVERHEAD });
    const disk = { volume: VOLUME, hostBytes: wantedBytes, guestBytes: seen, overheadBytes: OVERHEAD };
    const { changes, behind } = readBack([known], [disk]);
    expect(changes[0]).not.toHaveProperty('wantedBytes');
    expect(behind).toEqual([VOLUME]);
  });

  it('of a volume without overhead leave what is wanted as it is', () => {
    const { changes } = readBack([mapping()], [{ volume: VOLUME, hostBytes: GIB, guestBytes: null }]);
    expect(changes).toEqual([{ id: mapping().id, hostBytes: GIB, guestBytes: null }]);
  });
});
