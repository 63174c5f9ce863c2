import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { readdir, readFile, readlink } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type PrivateRabbit, startPrivateRabbit } from './private-rabbit.js';
import { temporaryDirectory, type TemporaryDirectory } from './temporary-directory.js';
import { waitUntil } from './wait-until.js';

const START_LIMIT_MS = 120_000;
const CHECKOUT = join(import.meta.dirname, '..', '..', '..');

let directory: TemporaryDirectory;
let rabbit: PrivateRabbit;
beforeAll(async () => {
  directory = await temporaryDirectory();
  rabbit = await startPrivateRabbit({ directory: directory.path, deliveryLimit: 7 });
}, START_LIMIT_MS);
afterAll(async () => {
  await rabbit.stop();
  await directory.remove();
});

/** Processes that were started with this text in their environment: a broker's own folder, say. */
async function processesWith(text: string): Promise<number[]> {
  const found: number[] = [];
  for (const pid of await readdir('/proc')) {
    const environment = await readFile(join('/proc', pid, 'environ'), 'utf8').catch(() => '');
    const lives = await readlink(join('/proc', pid, 'exe')).catch(() => null);
    if (environment.includes(text) && lives !== null) found.push(Number(pid));
  }
  return found;
}

async function answers(port: number, host: string): Promise<boolean> {
  const socket = connect(port, host);
  const answer = await Promise.race([
    once(socket, 'connect').then(() => true),
    once(socket, 'error').then(() => false),
  ]).catch(() => false);
  socket.destroy();
  return answer;
}

describe('a private RabbitMQ', () => {
  it('is of the version, and has the administrator and the limit, that were asked for', async () => {
    expect(await rabbit.rabbitmqctl('version')).toMatch(/^3\.10\./);
    expect(await rabbit.rabbitmqctl('list_users', '--no-table-headers')).toBe('novella\t[administrator]');
    expect(await rabbit.rabbitmqctl('list_policies', '--no-table-headers')).toContain('{"delivery-limit":7}');
  });

  it('says what went wrong when its tool fails', async () => {
    await expect(rabbit.rabbitmqctl('no_such_command')).rejects.toThrow(/no_such_command/);
  });

  it('listens on the loopback only', async () => {
    const listening = (await readFile('/proc/net/tcp', 'utf8'))
      .split('\n')
      .map((line) => line.trim().split(/\s+/))
      .filter(([, local, , state]) => state === '0A' && local?.endsWith(`:${rabbit.port.toString(16).toUpperCase()}`));
    expect(listening.map(([, local]) => local?.split(':')[0])).toEqual(['0100007F']);
  });

  it(
    'keeps its queues over a restart and over kill -9, and its port',
    async () => {
      const declare =
        'rabbit_amqqueue:declare({resource, <<"/">>, queue, <<"kept">>}, true, false, [], none, <<"t">>).';
      await rabbit.rabbitmqctl('eval', declare);
      await rabbit.restart();
      expect(await answers(rabbit.port, '127.0.0.1')).toBe(true);
      await rabbit.kill();
      expect(await answers(rabbit.port, '127.0.0.1')).toBe(false);
      await rabbit.start();
      await rabbit.start();
      expect(await rabbit.rabbitmqctl('list_queues', 'name', '--no-table-headers')).toBe('kept');
    },
    START_LIMIT_MS,
  );

  it(
    'is there again with its data when another is started on the same folder, and keeps it when it is stopped',
    async () => {
      await rabbit.stop();
      await rabbit.stop();
      expect(await processesWith(directory.path)).toEqual([]);
      rabbit = await startPrivateRabbit({ directory: directory.path });
      expect(await rabbit.rabbitmqctl('list_queues', 'name', '--no-table-headers')).toBe('kept');
    },
    START_LIMIT_MS,
  );

  it(
    'ends, and its folder goes, when the process that started it is killed',
    async () => {
      const program = `
        const { startPrivateRabbit } = await import('${join(CHECKOUT, 'libs/testing/src/private-rabbit.ts')}');
        const rabbit = await startPrivateRabbit();
        console.log(await rabbit.rabbitmqctl('eval', 'os:getenv("RABBITMQ_MNESIA_BASE").'));
        setInterval(() => undefined, 60_000);`;
      const sources = join(CHECKOUT, 'test/bad-input/typescript.mjs');
      const args = ['--import', sources, '--input-type=module', '--eval', program];
      const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'], cwd: CHECKOUT });
      const [line] = (await once(createInterface(child.stdout), 'line')) as [string];
      const folder = line.replaceAll('"', '').replace(/\/data$/, '');
      expect(await processesWith(folder)).not.toEqual([]);
      child.kill('SIGKILL');
      await waitUntil(async () => (await processesWith(folder)).length === 0 && !existsSync(folder));
    },
    START_LIMIT_MS,
  );
});
