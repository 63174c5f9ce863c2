import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { NovellaError } from '@novella/core';
import { postgresBinaries } from './embedded/binaries.js';
import {
  clearDataDirectory,
  forgetOwner,
  newDatabase,
  noteOwner,
  prepareDataDirectory,
  runAs,
  type RunAs,
} from './embedded/data-directory.js';

export interface EmbeddedPostgresOptions {
  /** Made if it is not there; a database in it from before is used again. */
  readonly dataDir: string;
  /** 0 or nothing: any free port. */
  readonly port?: number;
  /** false only where losing the data with the machine is all right: tests. */
  readonly fsync: boolean;
  /** Each line that Postgres writes. */
  readonly log?: (line: string) => void;
}

export interface EmbeddedPostgres {
  /** Of the database `postgres`, as a superuser without a password. */
  readonly url: string;
  readonly port: number;
  readonly pid: number;
  /** Fast shutdown; resolves when the process is gone. A second call waits for the same end. */
  stop(): Promise<void>;
}

const START_TIMEOUT_MS = 60_000;
const STOP_TIMEOUT_MS = 30_000;
/** Between choosing a free port and listening on it somebody else may take it. */
const PORT_TRIES = 5;

/**
 * A private, real Postgres for one machine: it listens on 127.0.0.1 alone, has no Unix socket, and trusts whoever can
 * connect there, so it is for development and tests. When this process dies without stopping it, it shuts itself down.
 * Errors: database-unreachable.
 */
export async function startEmbeddedPostgres(options: EmbeddedPostgresOptions): Promise<EmbeddedPostgres> {
  const [binaries, user] = await Promise.all([postgresBinaries(), runAs()]);
  const { path, isNew } = await prepareDataDirectory(options.dataDir, user);
  if (isNew) await newDatabase(path, user, (folder) => initdb(binaries, folder, user));
  await clearDataDirectory(path);
  await noteOwner(path);
  const fixed = options.port !== undefined && options.port !== 0;
  for (let attempt = 1; ; attempt += 1) {
    const port = fixed ? (options.port ?? 0) : await freePort();
    const server = new Postmaster(binaries, path, port, user, options);
    try {
      const pid = await server.ready();
      return { url: `postgres://novella@127.0.0.1:${port}/postgres`, port, pid, stop: () => server.stop() };
    } catch (error) {
      await server.stop();
      if (fixed || attempt === PORT_TRIES || !server.said.includes('could not bind')) throw error;
    }
  }
}

async function initdb(binaries: string, path: string, user: RunAs): Promise<void> {
  const settings = [
    '--username=novella',
    '--auth=trust',
    '--encoding=UTF8',
    '--locale=C',
    '--no-sync',
    '--no-instructions',
  ];
  const child = spawn(join(binaries, 'bin', 'initdb'), [`--pgdata=${path}`, ...settings], {
    ...user,
    cwd: '/',
    env: ENVIRONMENT,
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let said = '';
  child.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()));
  const [code] = (await once(child, 'close')) as [number | null];
  if (code !== 0) throw new NovellaError('database-unreachable', `initdb has failed: ${said.trim()}`, { path });
}

/** Nothing of ours: messages are read, so they must not be translated. */
const ENVIRONMENT = { LC_ALL: 'C', TZ: 'UTC', PATH: '/usr/bin:/bin' };

class Postmaster {
  /** What it said before it was ready. */
  said = '';
  readonly #child: ChildProcess;
  readonly #exited: Promise<unknown>;
  readonly #path: string;
  #watcher: ChildProcess | null = null;
  #stopped: Promise<void> | null = null;

  constructor(binaries: string, path: string, port: number, user: RunAs, options: EmbeddedPostgresOptions) {
    const sync = options.fsync ? 'on' : 'off';
    const settings = {
      listen_addresses: '127.0.0.1',
      port: String(port),
      unix_socket_directories: '',
      max_connections: '200',
      fsync: sync,
      synchronous_commit: sync,
      full_page_writes: sync,
      jit: 'off',
      timezone: 'UTC',
    };
    const flags = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
    this.#path = path;
    // A session of its own, so that a Ctrl-C in the terminal reaches us alone and we stop it last.
    this.#child = spawn(join(binaries, 'bin', 'postgres'), ['-D', path, ...flags], {
      ...user,
      cwd: '/',
      env: ENVIRONMENT,
      detached: true,
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    this.#exited = new Promise((resolve) => {
      this.#child.once('exit', resolve);
      this.#child.once('error', resolve);
    });
    if (this.#child.pid !== undefined) this.#watcher = stopWithUs(this.#child.pid, user);
    this.#listen(options.log ?? (() => undefined));
  }

  #onReady: () => void = () => undefined;

  #listen(log: (line: string) => void): void {
    const { stderr } = this.#child;
    if (stderr === null) return;
    createInterface({ input: stderr }).on('line', (line) => {
      log(line);
      if (this.said.length < 10_000) this.said += `${line}\n`;
      if (line.includes('ready to accept connections')) this.#onReady();
    });
  }

  /** The pid, once it takes connections. */
  async ready(): Promise<number> {
    let timer: NodeJS.Timeout | undefined;
    const started = new Promise<string | null>((resolve) => {
      this.#onReady = () => resolve(null);
      timer = setTimeout(resolve, START_TIMEOUT_MS, `did not start within ${START_TIMEOUT_MS} ms`);
      void this.#exited.then(() => resolve('has ended while starting'));
    });
    const why = await started;
    clearTimeout(timer);
    if (why !== null) {
      throw new NovellaError('database-unreachable', `Postgres ${why}: ${this.said.trim()}`, { path: this.#path });
    }
    return this.#child.pid ?? 0;
  }

  stop(): Promise<void> {
    this.#stopped ??= this.#stop();
    return this.#stopped;
  }

  /** Fast shutdown, then an immediate one, which costs a recovery at the next start. */
  async #stop(): Promise<void> {
    this.#watcher?.kill('SIGKILL');
    this.#watcher?.stdin?.destroy();
    for (const signal of ['SIGINT', 'SIGQUIT', 'SIGKILL'] as const) {
      this.#child.kill(signal);
      if (await this.#hasExited()) break;
    }
    await forgetOwner(this.#path);
  }

  async #hasExited(): Promise<boolean> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<false>((resolve) => (timer = setTimeout(resolve, STOP_TIMEOUT_MS, false)));
    const exited = await Promise.race([this.#exited.then(() => true), late]);
    clearTimeout(timer);
    return exited;
  }
}

/**
 * A shell that reads from us until we are gone, however we went, and then shuts Postgres down. It runs as the same user
 * in a session of its own.
 */
function stopWithUs(pid: number, user: RunAs): ChildProcess {
  const watcher = spawn('/bin/sh', ['-c', 'cat > /dev/null; kill -INT "$0"', String(pid)], {
    ...user,
    cwd: '/',
    env: ENVIRONMENT,
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  watcher.unref();
  watcher.on('error', () => undefined);
  return watcher;
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new NovellaError('internal', 'no port was given to us');
  return address.port;
}
