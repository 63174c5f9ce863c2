import type { Environment } from '@novella/service-kit';
import type { ParseArgsOptionsConfig } from 'node:util';

/** What a command found, for people and for programs. */
export interface Finding {
  /** Lines for a terminal. */
  readonly text: string;
  /** The same as JSON, for --json. */
  readonly json: unknown;
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
