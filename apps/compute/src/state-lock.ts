import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { NovellaError } from '@novella/core';

/** Sent through the child and back: it answers only when it holds the lock. */
const HELD = 'held\n';
const CONFLICT = 75;

/**
 * The exclusive lock on a compute's state directory: `flock` on `<directory>/lock`, the kind of lock that the kernel
 * keeps per open file, that works between containers which share a volume, and that ends with its holder.
 *
 * Node has no flock of its own, so a child holds it: util-linux `flock` takes the lock and becomes `cat` with the locked
 * file still open; `cat` reads a pipe whose other end only we have. However we end, kill -9 included, the kernel closes
 * our end, `cat` reads the end of its input, exits, and the lock is free. The child is in a session of its own, so that a
 * Ctrl-C at the terminal does not take the lock from us while we still finish our work.
 */
export class StateLock {
  readonly #child: ChildProcess;
  readonly #ended: Promise<void>;
  #released = false;

  private constructor(child: ChildProcess, ended: Promise<void>, onLost: () => void) {
    this.#child = child;
    this.#ended = ended;
    void ended.then(() => {
      if (!this.#released) onLost();
    });
  }

  /**
   * Error: `internal`, grade final, when another process holds the lock or there is no `flock` program.
   * `onLost` is called when the child dies before `release`: the process must then do nothing more on the host.
   */
  static async take(directory: string, onLost: () => void): Promise<StateLock> {
    const file = join(directory, 'lock');
    const argv = ['--exclusive', '--nonblock', '--no-fork', '--conflict-exit-code', String(CONFLICT), file, 'cat'];
    const child = spawn('flock', argv, { stdio: ['pipe', 'pipe', 'ignore'], detached: true });
    const ended = new Promise<void>((resolve) => {
      child.once('close', () => resolve());
    });
    // A write to a child that has ended already fails; that it has ended is what counts.
    child.stdin.on('error', () => undefined);
    const refused = Promise.race([once(child, 'exit'), once(child, 'error')]);
    child.stdin.write(HELD);
    const first: unknown = await Promise.race([once(child.stdout, 'data'), refused]).catch((error: unknown) => [error]);
    const answer: unknown = Array.isArray(first) ? first[0] : first;
    if (!Buffer.isBuffer(answer)) throw refusal(directory, answer);
    child.stdout.destroy();
    child.unref();
    return new StateLock(child, ended, onLost);
  }

  /** Lets go and waits until the lock is free for others. */
  async release(): Promise<void> {
    this.#released = true;
    this.#child.ref();
    this.#child.stdin?.end();
    await this.#ended;
  }

  /** The child's process id, for those who look for it. */
  get pid(): number | undefined {
    return this.#child.pid;
  }
}

function refusal(directory: string, answer: unknown): NovellaError {
  const message =
    answer === CONFLICT
      ? 'another compute holds the state directory'
      : 'the lock on the state directory cannot be taken (is `flock` of util-linux installed?)';
  const cause = typeof answer === 'object' && answer !== null ? { cause: answer } : {};
  return new NovellaError('internal', message, { directory }, { ...cause, grade: 'final' });
}
