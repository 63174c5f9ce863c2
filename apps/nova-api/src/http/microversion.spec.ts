import { describe, expect, it } from '@jest/globals';
import { negotiate } from './microversion.js';

describe('negotiate', () => {
  it.each([
    ['compute 2.51', { kind: 'agreed', version: 51 }],
    ['Compute 2.51', { kind: 'agreed', version: 51 }],
    ['volume 3.44, compute 2.51', { kind: 'agreed', version: 51 }],
    ['compute 2.51, compute 2.60', { kind: 'agreed', version: 60 }],
    ['compute', { kind: 'agreed', version: 1 }],
    ['volume 3.44', { kind: 'agreed', version: 1 }],
    ['', { kind: 'agreed', version: 1 }],
    ['compute 2.97', { kind: 'unsupported', asked: '2.97' }],
    ['compute two', { kind: 'malformed', asked: 'two' }],
  ])('reads %j as %j', (header, result) => {
    expect(negotiate(header, undefined)).toEqual(result);
  });

  it('asks the legacy header when the standard one has no compute entry', () => {
    expect(negotiate('volume 3.44', '2.79')).toEqual({ kind: 'agreed', version: 79 });
  });
});
