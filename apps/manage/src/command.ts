import { type Millis, seconds } from '@novella/core';
import type { Environment } from '@novella/service-kit';
import type { ParseArgsOptionsConfig } from 'node:util';

/** What a command found, for people and for programs. */
export interface Finding {
  /** Lines for a terminal. */
  readonly text: string;
  /** The same as JSON, for --json. */
  readonly json: unknown;
  /** It found what must not be: the exit code is 1. */
  readonly isBad?: boolean;
}

export type OptionValues = Readonly<Record<string, string | boolean | undefined>>;

export interface Command {
  /** How it is called: `host ping HOST`. Capitals stand for an argument. */
  readonly usage: string;
  readonly summary: string;
  /** Besides --json, which every command has. */
  readonly options: ParseArgsOptionsConfig;
  run(args: readonly string[], options: OptionValues, env: Environment | undefined): Promise<Finding>;
}

/** The command line is wrong; nothing was done. */
export class UsageError extends Error {}

/** The value of an option that counts seconds. */
export function secondsOf(name: string, given: string | boolean | undefined, otherwise: number): number {
  if (typeof given !== 'string') return otherwise;
  const value = /^\d+(\.\d+)?$/.test(given) ? Number(given) : Number.NaN;
  if (!(value <= 86_400)) throw new UsageError(`--${name} takes seconds, at most 86400`);
  return value;
}

const UNITS = { s: 1, m: 60, h: 3_600, d: 86_400 } as const;

/** The value of an option that says how long: `90`, `90s`, `10m`, `2h`, `1d`. undefined when it was not given. */
export function durationOf(name: string, given: string | boolean | undefined): Millis | undefined {
  if (typeof given !== 'string') return undefined;
  const [, count, unit = 's'] = /^(\d{1,6})([smhd])?$/.exec(given) ?? [];
  if (count === undefined) throw new UsageError(`--${name} takes a duration: 90 (seconds), 10m, 2h, 1d`);
  return seconds(Number(count) * UNITS[unit as keyof typeof UNITS]);
}

/** The value of an option that takes one of a few words. undefined when it was not given. */
export function oneOf<Word extends string>(
  name: string,
  words: readonly Word[],
  given: string | boolean | undefined,
): Word | undefined {
  if (typeof given !== 'string') return undefined;
  const word = words.find((one) => one === given);
  if (word === undefined) throw new UsageError(`--${name} takes one of ${words.join(', ')}`);
  return word;
}

/** Columns under their titles, as wide as they need to be. */
export function table(titles: readonly string[], rows: readonly (readonly string[])[]): string {
  const all = [titles, ...rows];
  const widths = titles.map((_, column) => Math.max(...all.map((row) => (row[column] ?? '').length)));
  return all
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}
