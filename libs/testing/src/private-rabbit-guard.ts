import { type ChildProcess, spawn } from 'node:child_process';

/**
 * $1: the signal for the brokers when we are gone; $2: the folder to remove at the end, or ''.
 * Each line that comes in names what runs now, by pid: epmd (or `-`), then the brokers. A paused broker ends only by KILL.
 */
const SCRIPT = `signal=$1 folder=$2 last=
while read -r line; do last="$line"; done
set -- $last
epmd=\${1:--}
[ $# -gt 0 ] && shift
for broker; do kill -"$signal" "$broker"; done
for broker; do while [ -e "/proc/$broker/exe" ]; do sleep 0.1; done; done
[ "$epmd" = - ] || kill "$epmd"
[ -n "$folder" ] && rm -rf "$folder"
true`;

/**
 * A process that reads a pipe from us and, at the pipe's end, ends brokers and epmd: they end with us, however we end.
 * With `remove` the brokers are killed and the folder goes; without it they end well and the folder stays.
 */
export class Guard {
  private readonly process: ChildProcess;

  constructor({ directory, remove }: { readonly directory: string; readonly remove: boolean }) {
    const args = remove ? ['KILL', directory] : ['TERM', ''];
    // Its own session: Ctrl-C reaches us, and we decide.
    this.process = spawn('sh', ['-c', SCRIPT, 'rabbitmq-guard', ...args], {
      stdio: ['pipe', 'ignore', 'ignore'],
      detached: true,
    });
    this.process.stdin?.on('error', () => undefined); // it is gone: nothing to tell
  }

  /** What runs now. */
  tell(running: { readonly epmd: number | null; readonly brokers: readonly number[] }): void {
    if (this.process.stdin?.writable !== true) return;
    this.process.stdin.write(`${[running.epmd ?? '-', ...running.brokers].join(' ')}\n`);
  }

  /** When nothing runs any more; resolves when the folder is gone, where it goes. */
  async end(): Promise<void> {
    if (this.process.exitCode !== null || this.process.signalCode !== null) return;
    const gone = new Promise((resolve) => this.process.once('exit', resolve));
    this.process.stdin?.end('\n');
    await gone;
  }
}
