import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { ProcessRunner } from '@novella/brick';
import { type Clock, isUuid, type Log, NovellaError, seconds } from '@novella/core';
import { openConsole } from './console-file.js';
import type { InstanceFiles } from './instance-files.js';

export interface ConsoleSpaceIo {
  readonly files: Pick<InstanceFiles, 'directory'>;
  readonly runner: ProcessRunner;
  readonly clock: Clock;
  readonly log: Log;
}

const LOOK_EVERY = seconds(10);
const PUNCH_TIMEOUT = seconds(10);
const STAT_BLOCK = 512;
/** A console takes no more than this for longer than LOOK_EVERY; then only its end is kept. */
export const MOST_CONSOLE_SPACE = 16 * 2 ** 20;
export const CONSOLE_END_KEPT = 2 ** 20;
/** Holes are made of whole blocks of the file system. */
const HOLE_UNIT = 64 * 1024;

/**
 * Keeps what guests print from filling the host's disk. QEMU writes a console at an offset of its own and has no limit;
 * so the file keeps its length, and its older part becomes a hole, which takes no space. Looked at in passing: a guest
 * that prints without end has at most what it prints in LOOK_EVERY above the limit.
 */
export class ConsoleSpace {
  readonly #io: ConsoleSpaceIo;
  readonly #stop = new AbortController();
  readonly #warned = new Set<string>();
  #running: Promise<void> = Promise.resolve();

  constructor(io: ConsoleSpaceIo) {
    this.#io = io;
  }

  start(): void {
    this.#running = this.#loop();
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#running;
  }

  /** One look at all consoles. What cannot be trimmed is said once. */
  async trim(): Promise<void> {
    const { files, log } = this.#io;
    const names: string[] = await readdir(files.directory).catch(() => []);
    for (const name of names.filter(isUuid)) {
      try {
        await this.#trimOne(join(files.directory, name));
        this.#warned.delete(name);
      } catch (error) {
        if (!this.#warned.has(name)) log.warn('a console cannot be kept small', { server: name, cause: error });
        this.#warned.add(name);
      }
    }
    for (const name of [...this.#warned]) if (!names.includes(name)) this.#warned.delete(name);
  }

  async #loop(): Promise<void> {
    while (!this.#stop.signal.aborted) {
      await this.trim();
      await this.#io.clock.sleep(LOOK_EVERY, this.#stop.signal).catch(() => undefined);
    }
  }

  async #trimOne(folder: string): Promise<void> {
    const file = await openConsole(folder);
    if (file === null) return;
    try {
      const { size, blocks } = await file.stat();
      if (blocks * STAT_BLOCK <= MOST_CONSOLE_SPACE) return;
      const hole = Math.floor(Math.max(0, size - CONSOLE_END_KEPT) / HOLE_UNIT) * HOLE_UNIT;
      // Through our own descriptor: the very file that was looked at, whatever has that name by now.
      const path = `/proc/${process.pid}/fd/${file.fd}`;
      const argv = ['fallocate', '--punch-hole', '--offset', '0', '--length', String(hole), path] as const;
      const { code, stderr } = await this.#io.runner.run(argv, { timeout: PUNCH_TIMEOUT });
      if (code === 0) return;
      throw new NovellaError('internal', 'fallocate failed', { code, stderr: stderr.slice(0, 500) });
    } finally {
      await file.close();
    }
  }
}
