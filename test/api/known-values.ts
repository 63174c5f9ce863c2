import type { Known } from './world.js';

/** What exists and may be named in requests: what the world knows, and what answers have told. */
export interface Told extends Known {
  /** The key that it stood under: `id`, `name`, `request_id`. */
  readonly key: string;
  /** The path that told it; empty when nobody did. */
  readonly from: string;
}

export interface Likely {
  readonly value: string;
  readonly score: number;
}

export class KnownValues {
  private readonly all: Told[];
  private readonly remembered = new Map<string, readonly Likely[]>();

  constructor(known: readonly Known[]) {
    this.all = known.map((each) => ({ ...each, key: 'id', from: '' }));
  }

  /** Keeps the texts and numbers of an answer of `path`. */
  learn(path: string, answer: unknown): void {
    if (typeof answer !== 'object' || answer === null) return;
    for (const [resource, value] of Object.entries(answer)) {
      const of = stem(resource);
      if (isFreeMap(value))
        for (const name of Object.keys(value)) this.add({ of, key: 'key', value: name, from: path });
      this.learnInside(path, of, resource, value);
    }
  }

  private learnInside(from: string, of: string, key: string, value: unknown): void {
    if (Array.isArray(value)) {
      for (const item of value) this.learnInside(from, of, key, item);
    } else if (typeof value === 'object' && value !== null) {
      for (const [name, inner] of Object.entries(value)) {
        if (name !== 'links') this.learnInside(from, of, name, inner);
      }
    } else if (typeof value === 'number' || (typeof value === 'string' && value !== '' && value.length <= 255)) {
      this.add({ of, key, value: String(value), from });
    }
  }

  private add(told: Told): void {
    this.remembered.clear();
    if (!this.all.some((each) => each.value === told.value && each.of === told.of && each.key === told.key)) {
      this.all.push(told);
    }
  }

  /** Values for the parameter after `path`, the likeliest first. */
  forParameter(path: string, name: string): readonly Likely[] {
    const segment = stem(path.split('/').at(-1) ?? '');
    const score = (told: Told): number =>
      4 * Number(told.from === path) +
      2 * Number(told.of === segment) +
      Number(stem(name).startsWith(told.of)) +
      3 * Number(stem(told.key) === stem(name) || told.key === 'key') +
      2 * Number(told.key === 'id') +
      Number(told.key === 'name');
    return this.best(`${path}/:${name}`, score);
  }

  /** Values that a field of this name may well want. */
  forField(field: string): readonly string[] {
    const name = stem(field);
    const score = (told: Told): number =>
      (stem(told.key) === name ? 3 : 0) +
      (name.startsWith(told.of) && told.key === 'id' ? 4 : 0) +
      (/^(id|uuid)$/.test(name) && told.key === 'id' ? 1 : 0);
    return this.best(field, score).map(({ value }) => value);
  }

  private best(name: string, score: (told: Told) => number): readonly Likely[] {
    const known = this.remembered.get(name);
    if (known !== undefined) return known;
    const all = this.all.map((told) => ({ value: told.value, score: score(told) }));
    const sorted = all.filter((each) => each.score > 0).toSorted((a, b) => b.score - a.score);
    const seen = new Set<string>();
    const found = sorted.filter(({ value }) => seen.size < seen.add(value).size);
    this.remembered.set(name, found);
    return found;
  }
}

/** A text for each key and nothing else: metadata, extra specs. */
const isFreeMap = (value: unknown): value is Record<string, string> =>
  typeof value === 'object' &&
  value !== null &&
  !Array.isArray(value) &&
  Object.values(value).every((each) => typeof each === 'string');

/** `os-volume_attachments`, `volumeAttachment` -> `volumeattachment`. */
const stem = (name: string): string =>
  name
    .replace(/^os-/, '')
    .replaceAll(/[^A-Za-z0-9]/g, '')
    .toLowerCase()
    .replace(/ies$/, 'y')
    .replace(/s$/, '');
