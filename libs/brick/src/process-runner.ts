import { type ChildProcess, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { access, constants, type FileHandle, open, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { type Millis, NovellaError } from '@novella/core';

export interface ProcessResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  readonly timeout: Millis;
  /**
   * What the program finds in its standard input, a regular file without a name: for secrets, which must be neither in
   * arguments nor under a path. A program that wants a file is given `/dev/fd/0`.
   */
  readonly input?: string;
}

/** How commands of the host are run: a program and its arguments, never a shell's text. */
export interface ProcessRunner {
  /**
   * Answers when the program has ended, whatever its code. Error `internal`: it could not be started, was killed by a
   * signal, ran longer than `timeout` (it is then killed) or wrote more than 1 MiB.
   */
  run(argv: readonly [string, ...string[]], options: RunOptions): Promise<ProcessResult>;
}

const MOST_OUTPUT = 2 ** 20;
/** Where the system's own programs are: what is found must not depend on who started us. */
export const PROGRAM_FOLDERS = ['/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/sbin', '/bin'];
/** Messages are in English. */
export const ENVIRONMENT = { LC_ALL: 'C', PATH: PROGRAM_FOLDERS.join(':') };

export const spawnRunner: ProcessRunner = {
  async run(argv, { timeout, input }) {
    const file = input === undefined ? null : await namelessFile(input);
    try {
      return await ended(argv[0], start(argv, file), timeout);
    } finally {
      await file?.close();
    }
  },
};

function start([program, ...args]: readonly [string, ...string[]], input: FileHandle | null) {
  return spawn(program, args, { env: ENVIRONMENT, shell: false, stdio: [input?.fd ?? 'ignore', 'pipe', 'pipe'] });
}

/** On the file system in memory that POSIX' shared memory uses; nothing is written before its name is gone. */
async function namelessFile(content: string): Promise<FileHandle> {
  const path = `/dev/shm/novella-${randomUUID()}`;
  const file = await open(path, 'wx+', 0o600);
  try {
    await unlink(path);
    // By position: the program reads from the beginning.
    await file.write(content, 0);
    return file;
  } catch (error) {
    await file.close();
    throw error;
  }
}

function ended(program: string, child: ChildProcess, timeoutMs: Millis): Promise<ProcessResult> {
  const output = { stdout: '', stderr: '' };
  let left = MOST_OUTPUT;
  const collect = (into: keyof typeof output): void => {
    child[into]?.setEncoding('utf8').on('data', (text: string) => {
      left -= text.length;
      if (left < 0) child.kill('SIGKILL');
      else output[into] += text;
    });
  };
  collect('stdout');
  collect('stderr');
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => child.kill('SIGKILL'), timeoutMs);
    const failed = (signal: string | null, cause?: Error): void => {
      clearTimeout(timer);
      const facts = { program, signal, timeoutMs };
      reject(new NovellaError('internal', `${program} did not run to its end`, facts, { cause }));
    };
    child.once('error', (error) => failed(null, error));
    child.once('close', (code, signal) => {
      clearTimeout(timer);
      if (code === null || left < 0) failed(signal);
      else resolve({ code, ...output });
    });
  });
}

/** Whether one of PROGRAM_FOLDERS has the program. */
export async function isInstalled(program: string): Promise<boolean> {
  const looks = PROGRAM_FOLDERS.map((folder) =>
    access(join(folder, program), constants.X_OK).then(
      () => true,
      () => false,
    ),
  );
  return (await Promise.all(looks)).includes(true);
}
