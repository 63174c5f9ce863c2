import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';

export interface Ran {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

const LONGEST_COMMAND_MS = 60_000;

export type Client = 'openstack' | 'nova' | 'cinder';

/** One user's openstackclient, novaclient, cinderclient and openstacksdk, from Debian's packages. */
export class Clients {
  private readonly answers: AsyncIterator<string>;

  private constructor(
    private readonly process: ChildProcessByStdio<Writable, Readable, null>,
    private readonly home: string,
  ) {
    this.answers = createInterface(process.stdout)[Symbol.asyncIterator]();
  }

  /** `environment`: OS_AUTH_URL and the rest. */
  static async of(environment: Readonly<Record<string, string>>): Promise<Clients> {
    const home = await mkdtemp(join(tmpdir(), 'novella-clients-'));
    const child = spawn('/usr/bin/python3', [join(import.meta.dirname, 'clients.py')], {
      stdio: ['pipe', 'pipe', 'inherit'],
      env: {
        PATH: '/usr/bin:/bin',
        LANG: 'C.UTF-8',
        HOME: home,
        PYTHONDONTWRITEBYTECODE: '1',
        COLUMNS: '500',
        ...environment,
      },
    });
    const clients = new Clients(child, home);
    await clients.answer();
    return clients;
  }

  /** `words` as one would type them after `openstack`, say; what has blanks stands in double quotes. */
  async run(client: Client, words: string): Promise<Ran> {
    const argv = [...words.matchAll(/"([^"]*)"|(\S+)/g)].map(([, quoted, plain]) => quoted ?? plain ?? '');
    return (await this.ask({ client, argv })) as Ran;
  }

  /** As openstackclient tells it to programs. Throws what it says when it fails. */
  async json(words: string): Promise<unknown> {
    const { code, out, err } = await this.run('openstack', `${words} -f json`);
    if (code !== 0) throw new Error(`openstack ${words} ended with ${code}: ${err}${out}`);
    return JSON.parse(out) as unknown;
  }

  /** Python, with the connection as `cloud`. Throws its error. */
  async sdk(expression: string): Promise<unknown> {
    const answer = (await this.ask({ client: 'sdk', expression })) as { value?: unknown; err?: string };
    if (answer.err !== undefined) throw new Error(answer.err);
    return answer.value;
  }

  async close(): Promise<void> {
    if (this.process.exitCode === null && this.process.signalCode === null) {
      const gone = once(this.process, 'exit');
      this.process.kill('SIGKILL');
      await gone;
    }
    await rm(this.home, { recursive: true, force: true });
  }

  private async ask(command: object): Promise<unknown> {
    this.process.stdin.write(`${JSON.stringify(command)}\n`);
    return this.answer();
  }

  private async answer(): Promise<unknown> {
    // What is not answered now would be taken for the answer to the next.
    const late = setTimeout(() => this.process.kill('SIGKILL'), LONGEST_COMMAND_MS);
    const line: IteratorResult<string, unknown> = await this.answers.next();
    clearTimeout(late);
    if (line.done === true) throw new Error('the clients have ended, or had to be ended');
    return JSON.parse(line.value) as unknown;
  }
}
