import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { waitUntil } from '@novella/testing';

const CHECKOUT = join(import.meta.dirname, '..', '..');
const LOADER = join(CHECKOUT, 'test', 'bad-input', 'typescript.mjs');
const MAIN = join(CHECKOUT, 'apps', 'cluster', 'src', 'verify', 'main.ts');

/** `npm run verify` as a user runs it, from its sources. */
export class VerifyProcess {
  readonly said: string[] = [];
  /** The exit code, once it and all its output have ended. */
  readonly ended: Promise<number | null>;
  private readonly child: ChildProcess;

  constructor(...words: string[]) {
    this.child = spawn(process.execPath, ['--import', LOADER, MAIN, ...words], {
      cwd: CHECKOUT,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    for (const stream of [this.child.stdout, this.child.stderr]) {
      if (stream !== null) createInterface({ input: stream }).on('line', (line) => this.said.push(line));
    }
    this.ended = once(this.child, 'close').then(([code]) => code as number | null);
  }

  get folder(): string {
    const [, path = ''] = this.said.map((line) => /data are in (.*)$/.exec(line)).find((match) => match !== null) ?? [];
    return path;
  }

  /** The figure of that name in the report. */
  figure(name: string): string {
    const line = this.said.find((each) => each.slice(0, 20).trim() === name);
    return line?.slice(21) ?? `no figure is called ${name}:\n${this.said.join('\n')}`;
  }

  async saysLine(pattern: RegExp, timeout: number): Promise<void> {
    const there = () => this.child.exitCode !== null || this.said.some((line) => pattern.test(line));
    await waitUntil(there, { what: `a line like ${String(pattern)}`, timeout });
  }

  interrupt(): void {
    this.child.kill('SIGINT');
  }
}
