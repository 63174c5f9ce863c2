import { existsSync } from 'node:fs';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import pg from 'pg';
import { type EmbeddedPostgres, startEmbeddedPostgres } from './embedded-postgres.js';

jest.setTimeout(90_000);

async function query<Row extends object>(url: string, text: string): Promise<Row[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query<Row>(text)).rows;
  } finally {
    await client.end();
  }
}

describe('embedded Postgres', () => {
  let folder = '';
  let running: EmbeddedPostgres[] = [];
  const start = async (dataDir: string, port = 0) => {
    const server = await startEmbeddedPostgres({ dataDir, port, fsync: false });
    running.push(server);
    return server;
  };

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'novella-embedded-postgres-'));
    await chmod(folder, 0o755);
  });
  afterEach(async () => {
    await Promise.all(running.map((server) => server.stop()));
    running = [];
    await rm(folder, { recursive: true, force: true });
  });

  it('serves SQL on loopback alone and never runs as root', async () => {
    const server = await start(join(folder, 'data'));
    const [row] = await query<{ listen: string; sockets: string }>(
      server.url,
      `select current_setting('listen_addresses') as listen, current_setting('unix_socket_directories') as sockets`,
    );
    expect(row).toEqual({ listen: '127.0.0.1', sockets: '' });
    const status = await readFile(`/proc/${server.pid}/status`, 'utf8');
    expect(status).not.toMatch(/^Uid:\s+0\s/m);
  });

  it('keeps the data over a stop and a start', async () => {
    const first = await start(join(folder, 'data'));
    await query(first.url, 'create table kept as select 7 as value');
    await first.stop();
    const second = await start(join(folder, 'data'));
    expect(await query(second.url, 'select value from kept')).toEqual([{ value: 7 }]);
  });

  it('starts where a postmaster.pid names a process that is gone, or one that only has the same pid', async () => {
    const dataDir = join(folder, 'data');
    for (const pid of [await deadPid(), process.pid]) {
      await (await start(dataDir)).stop();
      await writeFile(join(dataDir, 'postmaster.pid'), `${pid}\n${dataDir}\n`);
      const server = await start(dataDir);
      expect(await query(server.url, 'select 1 as one')).toEqual([{ one: 1 }]);
      await server.stop();
    }
  });

  it('refuses a data directory that a running Postgres of a living owner uses, and leaves that one alone', async () => {
    const first = await start(join(folder, 'data'));
    await expect(start(join(folder, 'data'))).rejects.toMatchObject({ code: 'database-unreachable' });
    expect(await query(first.url, 'select 1 as one')).toEqual([{ one: 1 }]);
  });

  it('stops the Postgres of an owner that is gone before it starts another on the same data', async () => {
    const dataDir = join(folder, 'data');
    const first = await start(dataDir);
    await query(first.url, 'create table kept as select 7 as value');
    await writeFile(join(dataDir, 'novella-owner'), `${await deadPid()} 1\n`);
    const second = await start(dataDir);
    expect(existsSync(`/proc/${first.pid}`)).toBe(false);
    expect(await query(second.url, 'select value from kept')).toEqual([{ value: 7 }]);
  });

  it('answers database-unreachable when the port is taken', async () => {
    const first = await start(join(folder, 'one'));
    await expect(start(join(folder, 'two'), first.port)).rejects.toMatchObject({ code: 'database-unreachable' });
  });

  it('shuts down by itself when its owner is killed, and the next start finds the data', async () => {
    const dataDir = join(folder, 'data');
    const owner = spawn(process.execPath, [
      '--experimental-transform-types',
      '--input-type=module',
      '-e',
      OWNER,
      dataDir,
    ]);
    const [line] = (await once(owner.stdout, 'data')) as [Buffer];
    const { url, pid } = JSON.parse(line.toString()) as { url: string; pid: number };
    await query(url, 'create table kept as select 7 as value');
    owner.kill('SIGKILL');
    for (let tries = 0; tries < 600 && existsSync(`/proc/${pid}`); tries += 1) await delay(50);
    expect(existsSync(`/proc/${pid}`)).toBe(false);
    const next = await start(dataDir);
    expect(await query(next.url, 'select value from kept')).toEqual([{ value: 7 }]);
  });

  it('names the folder that is closed to the user Postgres runs as', async () => {
    if (process.getuid?.() !== 0) return;
    await chmod(folder, 0o700);
    await expect(start(join(folder, 'data'))).rejects.toMatchObject({
      code: 'database-unreachable',
      facts: { path: folder },
    });
  });

  it('stops twice without an error', async () => {
    const server = await start(join(folder, 'data'));
    await Promise.all([server.stop(), server.stop()]);
    await server.stop();
    expect(existsSync(join(folder, 'data', 'postmaster.pid'))).toBe(false);
  });
});

/** A process of its own that starts Postgres from the sources; Node strips the types. */
const OWNER = `
  import { registerHooks } from 'node:module';
  import { pathToFileURL } from 'node:url';
  const source = (path) => pathToFileURL(path).href;
  registerHooks({ resolve: (name, context, next) =>
    name === '@novella/core' ? next(source('${resolve('libs/core/src/index.ts')}'), context)
    : name.startsWith('.') && context.parentURL.includes('/libs/') ? next(name.replace(/[.]js$/, '.ts'), context)
    : next(name, context) });
  const { startEmbeddedPostgres } = await import(source('${resolve('libs/persistence/src/embedded-postgres.ts')}'));
  const { url, pid } = await startEmbeddedPostgres({ dataDir: process.argv[1], fsync: false });
  console.log(JSON.stringify({ url, pid }));
  setInterval(() => undefined, 1000);
`;

async function deadPid(): Promise<number> {
  const child = spawn('/bin/true');
  await once(child, 'exit');
  return child.pid ?? 0;
}
