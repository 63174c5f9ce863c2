import { type ChildProcess, spawn } from 'node:child_process';
import { open, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort } from './free-port.js';
import { KeystoneCloud } from './keystone-cloud.js';
import { temporaryDirectory } from './temporary-directory.js';

export interface PrivateKeystoneOptions {
  /** How long tokens live, in seconds; 3600 unless given. Keystone counts whole seconds. */
  readonly tokenLifetimeS?: number;
  /** What an expired token is still good for together with a service token, in seconds; Keystone's 172800 unless given. */
  readonly allowExpiredWindowS?: number;
  /** A free one unless given. */
  readonly port?: number;
}

const PYTHON = '/usr/bin/python3';
const READY_LIMIT_MS = 120_000;
const EXIT_LIMIT_MS = 30_000;
const POLL_MS = 20;

/**
 * A real Keystone of a test's own, from Debian's python3-keystone: one process on the loopback, sqlite and keys in a
 * temporary folder, no daemon of the system touched. About 2 s from nothing. It ends with the process that asked for it,
 * however that one ends. What is in it, users, projects, tokens, is made through `KeystoneCloud`.
 */
export class PrivateKeystone extends KeystoneCloud {
  readonly port: number;
  private readonly folder: string;
  private child: ChildProcess | null = null;

  private constructor(port: number, folder: string) {
    super(`http://127.0.0.1:${port}/v3`);
    this.port = port;
    this.folder = folder;
  }

  static async start(options: PrivateKeystoneOptions = {}): Promise<PrivateKeystone> {
    const folder = await temporaryDirectory();
    await writeFile(join(folder.path, 'keystone.conf'), configuration(folder.path, options));
    const keystone = new PrivateKeystone(options.port ?? (await freePort()), folder.path);
    try {
      await keystone.resume();
    } catch (error) {
      await keystone.stop();
      throw error;
    }
    return keystone;
  }

  /** Ends it at once; `resume` brings it back with all that is in it. */
  async kill(): Promise<void> {
    await this.end('SIGKILL');
  }

  /** Resolves when it answers. Without effect when it runs. */
  async resume(): Promise<void> {
    if (this.child !== null) return;
    const log = await open(join(this.folder, 'out'), 'a');
    const program = join(import.meta.dirname, 'keystone_in_one_process.py');
    const child = spawn(PYTHON, [program, this.folder, String(this.port), '--remove'], {
      stdio: ['pipe', log.fd, log.fd],
      env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', LANG: 'C.UTF-8', PYTHONDONTWRITEBYTECODE: '1' },
      // Its own session: Ctrl-C reaches us, and we decide.
      detached: true,
    });
    await log.close();
    child.stdin?.on('error', () => undefined); // it has ended
    const gone = (): void => {
      if (this.child === child) this.child = null;
    };
    child.once('error', gone).once('exit', gone);
    this.child = child;
    await this.untilItAnswers();
  }

  /** Ends it for good and removes its folder. May be called again. */
  async stop(): Promise<void> {
    await this.end('SIGKILL');
    await rm(this.folder, { recursive: true, force: true });
  }

  private async untilItAnswers(): Promise<void> {
    const deadline = performance.now() + READY_LIMIT_MS;
    while (!(await this.answers())) {
      if (!this.runs()) throw await this.failure('it ended while starting');
      if (performance.now() > deadline) throw await this.failure('it did not answer in time');
      await sleep(POLL_MS);
    }
  }

  private runs(): boolean {
    return this.child !== null;
  }

  private async answers(): Promise<boolean> {
    const signal = AbortSignal.timeout(EXIT_LIMIT_MS);
    return fetch(this.url, { signal }).then(
      async (answer) => {
        await answer.arrayBuffer();
        return answer.ok;
      },
      () => false,
    );
  }

  private async end(signal: NodeJS.Signals): Promise<void> {
    const { child } = this;
    if (child === null || child.exitCode !== null || child.signalCode !== null) return;
    const gone = new Promise((resolve) => child.once('exit', resolve));
    child.kill(signal);
    await gone;
  }

  private async failure(what: string): Promise<Error> {
    const said = await Promise.all(
      ['out', 'keystone.log'].map((name) => readFile(join(this.folder, name), 'utf8').catch(() => '')),
    );
    return new Error(`private Keystone: ${what}\n${said.join('\n').split('\n').slice(-40).join('\n')}`);
  }
}

const configuration = (folder: string, options: PrivateKeystoneOptions): string => `[DEFAULT]
log_file = ${folder}/keystone.log
[database]
connection = sqlite:///${folder}/keystone.sqlite
sqlite_synchronous = false
[token]
expiration = ${options.tokenLifetimeS ?? 3600}
allow_expired_window = ${options.allowExpiredWindowS ?? 172_800}
[fernet_tokens]
key_repository = ${folder}/keys
[fernet_receipts]
key_repository = ${folder}/keys
[identity]
password_hash_rounds = 4
[cache]
enabled = true
backend = dogpile.cache.memory
`;
