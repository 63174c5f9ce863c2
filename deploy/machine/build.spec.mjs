import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sourcesStamp } from './build.mjs';

const FILES = [
  'nest-cli.json',
  'package-lock.json',
  'tsconfig.json',
  'tsconfig.build.json',
  'apps/a/main.ts',
  'libs/l.ts',
];
let root;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'novella-build-'));
  for (const folder of ['apps/a', 'libs']) mkdirSync(join(root, folder), { recursive: true });
  for (const file of FILES) writeFileSync(join(root, file), 'x');
});
afterEach(() => rmSync(root, { recursive: true }));

it('what was built stays good while no source changes, also when other files come', () => {
  const before = sourcesStamp(root);
  writeFileSync(join(root, 'README.md'), 'x');
  expect(sourcesStamp(root)).toBe(before);
});

it.each([
  ['is written anew', () => utimesSync(join(root, 'libs/l.ts'), 1, 1)],
  ['is added', () => writeFileSync(join(root, 'apps/a/more.ts'), 'x')],
  ['is removed', () => rmSync(join(root, 'apps/a/main.ts'))],
])('what was built is built again when a source %s', (_what, change) => {
  const before = sourcesStamp(root);
  change();
  expect(sourcesStamp(root)).not.toBe(before);
});
