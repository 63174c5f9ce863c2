import type { Chance } from './chance.js';

/** JSON as it stands, where JSON.stringify could not write it: `NaN`, `1e999`, a key twice. */
export class Raw {
  constructor(readonly text: string) {}
}

export const ODD_TEXTS: readonly string[] = [
  '',
  ' ',
  '\u0000',
  'a\u0000b',
  '\ud800',
  'x\udfff',
  '\ufeff',
  '\u202e\u2066',
  '\u{10ffff}',
  '\u{1f4be}'.repeat(256),
  '\r\nX-Injected: 1',
  '\u001b[31m',
  '\u0007\u0008\u007f',
  'e\u0301'.repeat(128),
  'x'.repeat(255),
  'x'.repeat(256),
  'x'.repeat(65_536),
  '-1',
  '0',
  '1e3',
  '0x10',
  '1_000',
  '٣',
  '2147483648',
  '9223372036854775808',
  '9'.repeat(400),
  'NaN',
  'Infinity',
  'null',
  'true',
  '__proto__',
  'constructor',
  'prototype',
  'toString',
  'hasOwnProperty',
  '__defineGetter__',
  '../../secret',
  '%00',
  '%2e%2e%2f',
  '%s%s%n',
  '${7*7}',
  '{{7*7}}',
  "' OR '1'='1",
  "'; DROP TABLE x; --",
  '"',
  '\\',
  '<script>alert(1)</script>',
  'http://192.0.2.1/',
  '00000000-0000-0000-0000-000000000000',
  '{00000000-0000-0000-0000-000000000000}',
  'URN:UUID:00000000000000000000000000000000',
  'FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFF',
  '2026-02-30',
  '2026-01-01T00:00:00+99:99',
  '9999999999-01-01',
  '-000001-01-01',
  '0000-00-00T00:00:00Z',
  '[',
  '(a+)+$',
  'latest',
];

const ODD_NUMBERS: readonly (number | Raw)[] = [
  0,
  -0,
  -1,
  1.5,
  2 ** 31,
  2 ** 31 - 1,
  -(2 ** 31) - 1,
  2 ** 53,
  2 ** 63,
  -(2 ** 63),
  1e308,
  5e-324,
  new Raw('1e999'),
  new Raw('-1e999'),
  new Raw('-0.0'),
  new Raw('1.0'),
  new Raw('1E+2'),
  new Raw('9'.repeat(1000)),
  new Raw(`0.${'1'.repeat(1000)}`),
];
/** What is no JSON, but what writers of JSON have written. */
const NO_JSON: readonly Raw[] = [
  'NaN',
  'Infinity',
  'undefined',
  '01',
  "'a'",
  'True',
  'None',
  '0x1',
  '+1',
  '.5',
  '1.',
].map((text) => new Raw(text));

export const ODD_KEYS: readonly string[] = [
  '__proto__',
  'constructor',
  'prototype',
  'toString',
  'valueOf',
  'hasOwnProperty',
  '__class__',
  '',
  ' ',
  '0',
  'length',
  'then',
  'toJSON',
  '\u0000',
  '\ud800',
  'x'.repeat(1000),
  '$where',
  'a.b',
  'a[b]',
];

export function oddText(chance: Chance, words: readonly string[]): string {
  if (chance.yes(0.3)) return chance.one(words);
  if (chance.yes(0.1)) return chance.bytes(1 + chance.below(40)).toString('latin1');
  return chance.one(ODD_TEXTS);
}

export function oddValue(chance: Chance, words: readonly string[], depth = 0): unknown {
  return chance.weighed<() => unknown>([
    [6, () => oddText(chance, words)],
    [4, () => chance.one(ODD_NUMBERS)],
    [3, () => chance.one([null, true, false])],
    [2, () => []],
    [2, () => ({})],
    [1, () => (depth > 3 ? null : [oddValue(chance, words, depth + 1)])],
    [1, () => (depth > 3 ? null : { [oddKey(chance, words)]: oddValue(chance, words, depth + 1) })],
    [1, () => chance.one(NO_JSON)],
    [0.5, () => new Raw(deep(chance))],
    [0.5, () => Array.from({ length: 1 + chance.below(2000) }, () => chance.one<unknown>([0, 'x', null, {}]))],
    [0.3, () => manyKeys(chance.below(3000))],
  ])();
}

export const oddKey = (chance: Chance, words: readonly string[]): string =>
  chance.yes(0.4) ? chance.one(words) : chance.one(ODD_KEYS);

/** Lists or objects in one another, sometimes as many as a body holds. */
export function deep(chance: Chance): string {
  const depth = chance.one([50, 500, 5000, 50_000]);
  if (chance.yes(0.5)) return `${'['.repeat(depth)}${']'.repeat(depth)}`;
  const levels = Math.min(depth, 10_000);
  return `${'{"a":'.repeat(levels)}1${'}'.repeat(levels)}`;
}

const manyKeys = (count: number): object =>
  Object.fromEntries(Array.from({ length: count }, (_, at) => [`k${at}`, at]));

/** JSON text, with what is raw as it stands. */
export function jsonText(value: unknown): string {
  const raws: string[] = [];
  const text = JSON.stringify(value, (_, inner: unknown) => {
    if (!(inner instanceof Raw)) return inner;
    raws.push(inner.text);
    return `@raw${raws.length - 1}@`;
  }) as string | undefined;
  return (text ?? '').replaceAll(/"@raw(\d+)@"/g, (_, at: string) => raws[Number(at)] ?? '');
}
