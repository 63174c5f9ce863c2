import { describe, expect, it } from '@jest/globals';
import { bytes, bytesToGib, gib, gibToBytes, sectorsToBytes } from './units.js';

describe('sizes', () => {
  it('turns GiB into bytes and back, counting only whole GiB', () => {
    expect(gibToBytes(gib(3))).toBe(3_221_225_472);
    expect(bytesToGib(bytes(3_221_225_472))).toBe(3);
    expect(bytesToGib(bytes(3_221_225_471))).toBe(2);
  });

  it('counts a sector as 512 bytes', () => {
    expect(sectorsToBytes(4_194_304)).toBe(gibToBytes(gib(2)));
  });

  it.each([-1, 0.5, Number.NaN, Number.MAX_SAFE_INTEGER + 1])('refuses %p as a count of bytes', (count) => {
    expect(() => bytes(count)).toThrow(RangeError);
  });

  it.each([-1, 1.5, 2 ** 24])('refuses %p as a size in GiB', (count) => {
    expect(() => gib(count)).toThrow(RangeError);
  });
});
