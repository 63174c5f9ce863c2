import { deflateSync, gzipSync } from 'node:zlib';
import type { Chance } from './chance.js';
import { deep, jsonText, oddKey, oddText, oddValue, Raw } from './odd-values.js';

/** Changes one thing in a body: a value, a key, what is around it. */
export function changedBody(body: unknown, chance: Chance, words: readonly string[]): unknown {
  const places = placesIn(body);
  const place = chance.one(places);
  const texts = places.filter((each) => typeof valueAt(body, each) === 'string');
  return chance.weighed<() => unknown>([
    [texts.length === 0 ? 0 : 8, () => replaced(body, chance.one(texts), () => oddText(chance, words))],
    [8, () => replaced(body, place, () => oddValue(chance, words))],
    [2, () => replaced(body, place, (value) => (isRecord(value) ? without(value, chance) : undefined))],
    [2, () => replaced(body, place, (value) => withKey(value, oddKey(chance, words), oddValue(chance, words)))],
    [1, () => replaced(body, place, (value) => [value])],
    [1, () => replaced(body, place, (value) => ({ [oddKey(chance, words)]: value }))],
    [1, () => replaced(body, place, (value) => (Array.isArray(value) ? value[0] : jsonText(value)))],
    [1, () => replaced(body, place, (value) => (Array.isArray(value) ? repeated(value, chance) : value))],
    [1, () => replaced(body, place, (value) => twice(value))],
    [1, () => replaced(body, place, () => valueAt(body, chance.one(places)))],
  ])();
}

/** The body's bytes as something that is no JSON in UTF-8, or hardly. */
export function brokenText(text: string, chance: Chance): string | Buffer {
  const bytes = Buffer.from(text);
  const at = chance.below(bytes.length + 1);
  return chance.one<() => string | Buffer>([
    () => bytes.subarray(0, at),
    () => bytes.subarray(at),
    () => Buffer.concat([bytes.subarray(0, at), chance.bytes(1 + chance.below(8)), bytes.subarray(at)]),
    () => Buffer.concat([bytes.subarray(0, at), Buffer.from([0xc3, 0x28, 0xff, 0xfe]), bytes.subarray(at)]),
    () => Buffer.concat([bytes.subarray(0, at), Buffer.from([0xed, 0xa0, 0x80]), bytes.subarray(at)]),
    () => Buffer.concat([Buffer.from([0xef, 0xbb, 0xbf]), bytes]),
    () => Buffer.from(text, 'utf16le'),
    () => Buffer.concat([Buffer.from([0xff, 0xfe]), Buffer.from(text, 'utf16le')]),
    () => gzipSync(bytes),
    () => deflateSync(bytes),
    () => Buffer.from(text.replaceAll(/[a-z]/g, (letter) => `\\u00${letter.charCodeAt(0).toString(16)}`)),
    () => `${text}${text}`,
    () => `${text},`,
    () => `/* a comment */ ${text}`,
    () => text.replaceAll('"', "'"),
    () => `${' \t\r\n'.repeat(1 + chance.below(5000))}${text}`,
    () => deep(chance),
    () => chance.bytes(1 + chance.below(300)),
    () => 'x'.repeat(chance.one([114_687, 114_688, 114_689, 400_000])),
    () => `${text.slice(0, -1)}${' '.repeat(chance.one([114_600, 200_000]))}${text.slice(-1)}`,
    () => '',
    () => '\u0000',
    () => chance.one(['null', 'true', '1', '"x"', '[]', '{}', '[[]]', '{"":""}', 'NaN', 'a=b&c=d']),
  ])();
}

type Place = readonly (string | number)[];

/** Where there is a value, the whole first. Keys and lists that are long are gone into by their beginning. */
function placesIn(value: unknown, at: Place = []): Place[] {
  if (at.length > 6 || typeof value !== 'object' || value === null || value instanceof Raw) return [at];
  const inside = Object.entries(value).slice(0, 60);
  return [at, ...inside.flatMap(([key, inner]) => placesIn(inner, [...at, Array.isArray(value) ? Number(key) : key]))];
}

function replaced(value: unknown, [key, ...rest]: Place, change: (value: unknown) => unknown): unknown {
  if (key === undefined) return change(value);
  if (Array.isArray(value)) {
    return value.map((item: unknown, at) => (at === key ? replaced(item, rest, change) : item));
  }
  if (!isRecord(value)) return value;
  // An own key, also when it is called __proto__.
  return Object.fromEntries(
    Object.entries(value).map(([name, item]) => [name, name === key ? replaced(item, rest, change) : item]),
  );
}

const valueAt = (value: unknown, place: Place): unknown =>
  place.reduce<unknown>((inner, key) => (inner as Record<string | number, unknown> | null | undefined)?.[key], value);

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Raw);

function without(value: Record<string, unknown>, chance: Chance): unknown {
  const gone = chance.one(Object.keys(value));
  return Object.fromEntries(Object.entries(value).filter(([key]) => key !== gone));
}

function withKey(value: unknown, key: string, added: unknown): unknown {
  return isRecord(value) ? Object.fromEntries([...Object.entries(value), [key, added]]) : { [key]: value };
}

const repeated = (value: readonly unknown[], chance: Chance): unknown[] =>
  Array.from({ length: chance.one([2, 50, 1000]) }, () => value[0]);

/** Each key twice, the second time with nothing. */
function twice(value: unknown): unknown {
  if (!isRecord(value)) return value;
  const pairs = Object.entries(value).flatMap(([key, inner]) => [
    `${JSON.stringify(key)}:${jsonText(inner) || 'null'}`,
    `${JSON.stringify(key)}:null`,
  ]);
  return new Raw(`{${pairs.join(',')}}`);
}
