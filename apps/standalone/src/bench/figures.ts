import { open, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';

/** RssAnon of a process, in MB. */
export async function privateMemory(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  return Number(/RssAnon:\s+(\d+)/.exec(status)?.[1]) / 1024;
}

/** NaN of nothing. */
export function quantile(values: readonly number[], q: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.ceil(q * sorted.length) - 1)] ?? Number.NaN;
}

/** What the disk takes to make 4 kB durable: the floor of whatever promises to keep something. Milliseconds, median. */
export async function fdatasyncTime(directory: string): Promise<number> {
  const path = join(directory, 'fdatasync');
  const file = await open(path, 'w');
  const times: number[] = [];
  try {
    for (let n = 0; n < 200; n++) {
      await file.write(Buffer.alloc(4096, n), 0, 4096, n * 4096);
      const since = performance.now();
      await file.datasync();
      times.push(performance.now() - since);
    }
  } finally {
    await file.close();
    await rm(path);
  }
  return quantile(times, 0.5);
}

export type Row = readonly [what: string, figure: string];

export function printRows(rows: readonly Row[]): void {
  for (const [what, figure] of rows) process.stdout.write(`${what.padEnd(76)}${figure.padStart(12)}\n`);
}

export const ms = (value: number): string => `${value < 20 ? value.toFixed(1) : value.toFixed(0)} ms`;
