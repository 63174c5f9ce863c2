import { describe, expect, it } from '@jest/globals';
import { versionIsCompatible } from './versions.js';

describe('versionIsCompatible', () => {
  it.each([
    [null, '1.0', true],
    [null, null, true],
    ['1.0', null, false],
    ['1.0', '1.0', true],
    ['1.2', '1.1', true],
    ['1.2', '1.3', false],
    ['1.10', '1.9', true],
    ['1.0', '2.0', false],
    ['2.0', '1.0', false],
    ['1.2.3', '1.2.3', true],
    ['1.2.3', '1.2.4', false],
    ['1.2.3', '1.1.9', true],
    ['1.2', '1.2.1', false],
    ['1.2.1', '1.2', true],
    ['1.0', '1', false],
    ['1.0', '1.x', false],
    ['1.0', '', false],
  ])('implemented %p, requested %p -> %p', (implemented, requested, compatible) => {
    expect(versionIsCompatible(implemented, requested)).toBe(compatible);
  });
});
