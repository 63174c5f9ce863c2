import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { z } from 'zod';

/** Debian's own, which the clients are installed for. */
const PYTHON = '/usr/bin/python3';
const PROGRAM = join(import.meta.dirname, 'openstack_commands.py');

export const commandEnd = z.object({ id: z.number(), code: z.number(), stdout: z.string(), stderr: z.string() });
export type CommandEnd = Omit<z.output<typeof commandEnd>, 'id'>;

/**
 * The `openstack` command, which otherwise takes two seconds to start: openstack_commands.py has it loaded, and forks for
 * each call.
 */
export class OpenStackCommands {
  private readonly waiting = new Map<number, { resolve: (end: CommandEnd) => void; reject: (error: Error) => void }>();
  private calls = 0;
  private errors = '';

  private constructor(private readonly child: ChildProcess) {
    child.stderr?.on('data', (text: Buffer) => (this.errors += text.toString()));
    child
      .once('error', (error) => this.fail(error))
      .once('exit', () => this.fail(new Error(`it ended: ${this.errors}`)));
    child.stdin?.on('error', () => undefined); // it has ended
    if (child.stdout !== null) createInterface({ input: child.stdout }).on('line', (line) => this.read(line));
  }

  /** Resolves when it has run its first command. */
  static async start(): Promise<OpenStackCommands> {
    const child = spawn(PYTHON, [PROGRAM], {
      stdio: ['pipe', 'pipe', 'pipe'],
      env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', LANG: 'C.UTF-8', PYTHONDONTWRITEBYTECODE: '1' },
      detached: true,
    });
    const commands = new OpenStackCommands(child);
    const { code, stderr } = await commands.run(['--version'], {});
    if (code !== 0) throw new Error(`the openstack command does not run: ${stderr}`);
    return commands;
  }

  run(words: readonly string[], environment: Readonly<Record<string, string>>): Promise<CommandEnd> {
    const id = this.calls++;
    return new Promise((resolve, reject) => {
      this.waiting.set(id, { resolve, reject });
      this.child.stdin?.write(`${JSON.stringify({ id, arguments: words, environment })}\n`);
    });
  }

  async stop(): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    const gone = new Promise((resolve) => this.child.once('exit', resolve));
    this.child.stdin?.end();
    await gone;
  }

  private read(line: string): void {
    const { id, ...end } = commandEnd.parse(JSON.parse(line));
    this.waiting.get(id)?.resolve(end);
    this.waiting.delete(id);
  }

  private fail(error: Error): void {
    for (const { reject } of this.waiting.values()) reject(error);
    this.waiting.clear();
  }
}
