import type { Random } from '@novella/core';
import type { JsonSchema } from './request-schema.js';

/** Values that a schema lets through, made by chance, rather of things that exist. */
export interface ExampleSource {
  readonly random: Random;
  /** What a field of this name may well want. */
  readonly forField: (field: string) => readonly string[];
  readonly words: readonly string[];
  /** What a free map has to have as its key, if the request names one in its path. */
  readonly key?: string;
}
/** `least`: what is required, and the optional one named by `with`; `some`: each optional one by chance. */
export interface Amount {
  readonly optional: 'least' | 'some';
  /** Path of an optional property that is wanted too: `server.imageRef`. */
  readonly with?: string;
  /** Takes the so-maniest of what may stand in a place; else by chance. */
  readonly pick?: number;
}

export class NoExample extends Error {}

export function exampleOf(schema: JsonSchema, amount: Amount, source: ExampleSource): unknown {
  return new Examples(amount, source).of(schema, '');
}

/** Paths of all optional properties. */
export function optionalPaths(schema: JsonSchema, at = ''): string[] {
  const items = schema['items'] as JsonSchema | undefined;
  const properties = (schema['properties'] ?? {}) as Record<string, JsonSchema>;
  const required = (schema['required'] ?? []) as string[];
  const inside = Object.entries(properties).flatMap(([name, property]) => {
    const path = at === '' ? name : `${at}.${name}`;
    return [...(required.includes(name) ? [] : [path]), ...optionalPaths(property, path)];
  });
  return items === undefined ? inside : [...inside, ...optionalPaths(items, at)];
}

const FORMATS: Readonly<Record<string, readonly string[]>> = {
  'date-time': ['2026-01-02T03:04:05Z', '2026-01-02', '2026-01-02 03:04:05.678+02:00'],
  ipv4: ['192.0.2.7', '0.0.0.0'],
  base64: ['aGVsbG8=', '', 'aGVsbG8gd29ybGQ'.repeat(4)],
  ipv6: ['2001:db8::7', '::'],
};
const TEXTS = ['a', '1', '0', 'vm-1', '/dev/vdc', 'aGVsbG8=', 'x'.repeat(64), 'Wäsche', '\u{1f4be}', '10', ''];
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** A query as it is written: a list is a key several times. */
export const queryText = (values: object): string =>
  new URLSearchParams(
    Object.entries(values).flatMap(([key, value]: [string, unknown]) =>
      [value].flat().map((one): [string, string] => [key, String(one)]),
    ),
  ).toString();

class Examples {
  constructor(
    private readonly amount: Amount,
    private readonly source: ExampleSource,
  ) {}

  of(schema: JsonSchema, path: string): unknown {
    const all = schema['allOf'] as JsonSchema[] | undefined;
    if (all !== undefined) return this.of(Object.assign({}, ...all) as JsonSchema, path);
    const any = schema['anyOf'] as JsonSchema[] | undefined;
    if (any !== undefined) return this.of(this.one(any), path);
    const words = schema['enum'] as unknown[] | undefined;
    if (words !== undefined) return this.one(words);
    const [type] = [schema['type']].flat();
    if (type === 'object') return this.object(schema, path);
    if (type === 'array') return this.array(schema, path);
    if (type === 'number') return this.one([1, 0.5, 2]);
    if (type === 'integer') return this.integer(schema);
    if (type === 'null') return null;
    return this.text(schema, path.split('.').at(-1) ?? '');
  }

  private object(schema: JsonSchema, path: string): unknown {
    const properties = (schema['properties'] ?? {}) as Record<string, JsonSchema>;
    const required = (schema['required'] ?? []) as string[];
    const made: Record<string, unknown> = {};
    for (const [name, property] of Object.entries(properties)) {
      const at = path === '' ? name : `${path}.${name}`;
      if (!required.includes(name) && !this.wants(at)) continue;
      try {
        made[name] = this.of(property, at);
      } catch (error) {
        if (!(error instanceof NoExample) || required.includes(name)) throw error;
      }
    }
    const free = schema['additionalProperties'];
    if (free === false) return made;
    const least = (schema['minProperties'] as number | undefined) ?? 0;
    if (least > 0 || this.amount.optional === 'some') {
      const value = this.of((free ?? {}) as JsonSchema, path);
      made[(least > 0 ? this.source.key : undefined) ?? this.one(this.source.words)] = value;
    }
    return made;
  }

  private wants(path: string): boolean {
    const { with: wanted } = this.amount;
    if (wanted !== undefined && (wanted === path || wanted.startsWith(`${path}.`))) return true;
    return this.amount.optional === 'some' && this.source.random.fraction() < 0.3;
  }

  private array(schema: JsonSchema, path: string): unknown {
    const { with: wanted } = this.amount;
    const least = Math.max((schema['minItems'] as number | undefined) ?? 0, wanted?.startsWith(path) === true ? 1 : 0);
    const length = this.amount.optional === 'some' ? least + Math.floor(this.source.random.fraction() * 3) : least;
    return Array.from({ length }, () => this.of((schema['items'] ?? {}) as JsonSchema, path));
  }

  private integer(schema: JsonSchema): number {
    const [least = -9, most = 9] = [schema['minimum'], schema['maximum']] as (number | undefined)[];
    const right = [1, 0, least, 2, 10, 255, most, -1].filter((number) => number >= least && number <= most);
    return this.one(right);
  }

  private text(schema: JsonSchema, field: string): string {
    const { source } = this;
    const uuid = schema['format'] === 'uuid';
    const right = matcher(schema);
    const named = source.forField(field).filter((text) => right(text) && (!uuid || UUID.test(text)));
    const byChance = this.amount.pick === undefined && source.random.fraction() < 0.3;
    if (named.length > 0 && !byChance) return this.one(named);
    if (uuid) return source.random.uuid();
    const format = FORMATS[String(schema['format'])];
    const texts = format ?? textsFor(schema, source.words);
    if (texts.length === 0) throw new NoExample(`no text for ${field}: ${JSON.stringify(schema)}`);
    return this.one(texts);
  }

  private one<T>(all: readonly T[]): T {
    const { pick } = this.amount;
    const at = pick === undefined ? Math.floor(this.source.random.fraction() * all.length) : pick % all.length;
    return all[at] as T;
  }
}

const remembered = new WeakMap<readonly string[], WeakMap<JsonSchema, readonly string[]>>();

/** Texts that may stand there, of some that are always worth a try and of these. */
function textsFor(schema: JsonSchema, words: readonly string[]): readonly string[] {
  const known = remembered.get(words) ?? new WeakMap<JsonSchema, readonly string[]>();
  remembered.set(words, known);
  const texts = known.get(schema) ?? [...TEXTS, ...words].filter(matcher(schema));
  known.set(schema, texts);
  return texts;
}

function matcher(schema: JsonSchema): (text: string) => boolean {
  const {
    minLength = 0,
    maxLength = Infinity,
    pattern,
  } = schema as { minLength?: number; maxLength?: number; pattern?: string };
  const expression = pattern === undefined ? null : new RegExp(pattern, 'u');
  return (text) => {
    const length = Array.from(text).length;
    return length >= minLength && length <= maxLength && (expression === null || expression.test(text));
  };
}
