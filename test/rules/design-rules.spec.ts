import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { globSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';

// Holds docs/rules.md and the titles of tests together, both ways.
const ROOT = join(import.meta.dirname, '..', '..');
const SPECS = ['*.spec.ts', '*.int-spec.ts', '*.e2e-spec.ts', '*.cases.ts', '*.conformance.ts'];
const FILES = globSync(
  ['apps', 'libs', 'test'].flatMap((folder) => [
    ...SPECS.map((name) => `${folder}/**/${name}`),
    `${folder}/**/conformance/**/*.ts`,
  ]),
  { cwd: ROOT, exclude: (name) => name === 'node_modules' || name === 'bad' },
);

/** A title as it is written: a literal that is the first argument of a test, a group, or a table of either. */
const TITLE = /\(\s*(?:'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*"|`(?:[^`\\]|\\.)*`),/g;
/** `(rule 3.5b)` or `(rules 2.7b, 6.4)`, at the end of a title. */
const NAMED = /\(rules? (\d+\.\d+[a-z]?(?:, \d+\.\d+[a-z]?)*)\)['"`],$/;
const DEFINED = /^- \*\*(\d+\.\d+[a-z]?)\*\* \S/gm;

/** The rules that titles name, each with the files that do. */
async function namedRules(): Promise<Map<string, string[]>> {
  const named = new Map<string, string[]>();
  for (const file of FILES) {
    const text = await readFile(join(ROOT, file), 'utf8');
    if (!text.includes('(rule')) continue;
    for (const [title] of text.matchAll(TITLE)) {
      for (const rule of NAMED.exec(title)?.[1]?.split(', ') ?? []) {
        named.set(rule, [...(named.get(rule) ?? []), file]);
      }
    }
  }
  return named;
}

describe('the rules of the engine', () => {
  it('have each a number of their own and a test that names it, and no test names another', async () => {
    const text = await readFile(join(ROOT, 'docs', 'rules.md'), 'utf8');
    const defined = [...text.matchAll(DEFINED)].map(([, rule = '']) => rule);
    expect(defined.length).toBeGreaterThan(50);
    expect(defined.filter((rule, index) => defined.indexOf(rule) !== index)).toEqual([]);
    const named = await namedRules();
    const strangers = [...named].filter(([rule]) => !defined.includes(rule));
    expect({ untested: defined.filter((rule) => !named.has(rule)), strangers }).toEqual({
      untested: [],
      strangers: [],
    });
  });

  it('are looked for in all kinds of tests', () => {
    for (const kind of ['.spec.ts', '.int-spec.ts', '.e2e-spec.ts', '.cases.ts', '/conformance/store/claims.ts']) {
      expect({ kind, files: FILES.filter((file) => file.endsWith(kind)).length }).not.toEqual({ kind, files: 0 });
    }
    expect(FILES.filter((file) => file.includes('/rules/bad/'))).toEqual([]);
  });
});
