import { describe, expect, it } from '@jest/globals';
import { gib, gibToBytes } from '@novella/core';
import type { AttachedVolume } from '@novella/persistence';
import { HOST, mapping } from '@novella/testing';
import { isBehind } from './reconciler.js';

const attached = (over: Partial<AttachedVolume> = {}, ...[row]: Parameters<typeof mapping>): AttachedVolume => ({
  mapping: mapping(row),
  host: HOST,
  refused: null,
  ...over,
});
const TWO = gibToBytes(gib(2));

describe('an attachment', () => {
  it('is behind when the guest was last seen with less than Cinder has', () => {
    expect(isBehind(attached(), gib(2), 'extend-volume')).toBe(true);
    expect(isBehind(attached(), gib(1), 'extend-volume')).toBe(false);
  });

  it('is judged by the host while the guest is off', () => {
    expect(isBehind(attached({}, { guestBytes: null, hostBytes: TWO }), gib(2), '')).toBe(false);
    expect(isBehind(attached({}, { guestBytes: null }), gib(2), '')).toBe(true);
  });

  it('is not asked for again with the facts that were refused, but when volume or host have changed', () => {
    const refused = { wantedBytes: TWO, capabilities: ['protocol:local', 'extend-volume'] };
    expect(isBehind(attached({ refused }), gib(2), 'extend-volume,protocol:local')).toBe(false);
    expect(isBehind(attached({ refused }), gib(3), 'extend-volume,protocol:local')).toBe(true);
    expect(isBehind(attached({ refused }), gib(2), 'extend-volume,live,protocol:local')).toBe(true);
  });
});
