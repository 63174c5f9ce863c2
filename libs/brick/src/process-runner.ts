import { execFile } from 'node:child_process';
import { type Millis, NovellaError } from '@novella/core';

export interface ProcessResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** How commands of the host are run: a program and its arguments, never a shell's text. */
export interface ProcessRunner {
  /**
   * Answers when the program has ended, whatever its code. Error `internal`: it could not be started, was killed by a
   * signal, ran longer than `timeout` (it is then killed) or wrote more than 1 MiB.
   */
  run(argv: readonly [string, ...string[]], options: { timeout: Millis }): Promise<ProcessResult>;
}

const MOST_OUTPUT = 2 ** 20;
/** Messages in English, programs from the system's own folders: what is read from them must not depend on who started us. */
const ENVIRONMENT = { LC_ALL: 'C', PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' };

export const spawnRunner: ProcessRunner = {
  run([program, ...args], { timeout }) {
    const options = { timeout, killSignal: 'SIGKILL', maxBuffer: MOST_OUTPUT, env: ENVIRONMENT, shell: false } as const;
    return new Promise((resolve, reject) => {
      execFile(program, args, options, (error, stdout, stderr) => {
        if (error === null) resolve({ code: 0, stdout, stderr });
        else if (typeof error.code === 'number') resolve({ code: error.code, stdout, stderr });
        else {
          const facts = { program, signal: error.signal ?? null, timeoutMs: timeout };
          reject(new NovellaError('internal', `${program} did not run to its end`, facts, { cause: error }));
        }
      });
    });
  },
};
