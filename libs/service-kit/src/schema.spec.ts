import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { schemaMustServe } from './schema.js';
import { VERSION } from './version.js';

describe('schemaMustServe', () => {
  it.each(['current', 'ahead'] as const)('takes a schema that is %s', (state) => {
    expect(() => schemaMustServe(state)).not.toThrow();
  });

  it.each(['missing', 'behind'] as const)('refuses one that is %s, and names what mends it', (state) => {
    expect(() => schemaMustServe(state)).toThrow(
      expect.objectContaining({
        code: 'database-unreachable',
        facts: { schema: state },
        message: expect.stringContaining('novella-manage migrate'),
      }),
    );
  });
});

describe('VERSION', () => {
  it('is the one of package.json', async () => {
    const text = await readFile(join(import.meta.dirname, '..', '..', '..', 'package.json'), 'utf8');
    expect((JSON.parse(text) as { version: string }).version).toBe(VERSION);
  });
});
