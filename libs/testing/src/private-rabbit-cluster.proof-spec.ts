import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { readdir, readFile, readlink } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type PrivateRabbitCluster, startPrivateRabbitCluster } from './private-rabbit-cluster.js';
import { waitUntil } from './wait-until.js';

const LONG = 120_000;
const CHECKOUT = join(import.meta.dirname, '..', '..', '..');
const NAMES = ['novella-1@localhost', 'novella-2@localhost', 'novella-3@localhost'];
const DECLARE =
  'rabbit_amqqueue:declare({resource, <<"/">>, queue, <<"kept">>}, true, false, ' +
  '[{<<"x-queue-type">>, longstr, <<"quorum">>}], none, <<"t">>).';

let cluster: PrivateRabbitCluster;
beforeAll(async () => {
  cluster = await startPrivateRabbitCluster({ deliveryLimit: 7 });
  await cluster.rabbitmqctl('eval', DECLARE);
}, LONG);
afterAll(() => cluster.stop());

const members = async (which: 'members' | 'online'): Promise<string[]> => {
  const list = await cluster.rabbitmqctl('list_queues', which, '--no-table-headers');
  return (list.match(/novella-\d@localhost/g) ?? []).sort();
};

describe('a private cluster of RabbitMQ', () => {
  it('keeps a quorum queue on each of its nodes, under the policies that were asked for', async () => {
    expect(cluster.nodes.map(({ name }) => name)).toEqual(NAMES);
    expect(new Set(cluster.urls).size).toBe(3);
    expect(await members('members')).toEqual(NAMES);
    expect(await cluster.rabbitmqctl('list_policies', '--no-table-headers')).toContain('{"delivery-limit":7}');
  });

  it(
    'goes on under another leader when the leader is killed, and takes it back as a member',
    async () => {
      const first = await cluster.leaderOf('kept');
      await first.kill();
      expect(first.isRunning).toBe(false);
      const second = await waitUntil(() => cluster.leaderOf('kept'), { timeout: LONG });
      expect(second.name).not.toBe(first.name);
      await first.start();
      await waitUntil(async () => (await members('online')).length === 3, { timeout: LONG });
    },
    LONG,
  );

  it(
    'takes a node that is paused for dead, and takes it back',
    async () => {
      const leader = await cluster.leaderOf('kept');
      leader.pause();
      const look = async () => (await cluster.leaderOf('kept')).name !== leader.name;
      await waitUntil(look, { timeout: LONG });
      leader.resume();
      await waitUntil(async () => (await members('online')).length === 3, { timeout: LONG });
    },
    LONG,
  );

  it(
    'ends, and its folder goes, when the process that started it is killed, a paused node too',
    async () => {
      const program = `
        const { startPrivateRabbitCluster } = await import('${join(CHECKOUT, 'libs/testing/src/private-rabbit-cluster.ts')}');
        const cluster = await startPrivateRabbitCluster({ nodes: 2 });
        console.log(await cluster.rabbitmqctl('eval', 'os:getenv("RABBITMQ_MNESIA_BASE").'));
        cluster.nodes[1].pause();
        setInterval(() => undefined, 60_000);`;
      const sources = join(CHECKOUT, 'test/bad-input/typescript.mjs');
      const args = ['--import', sources, '--input-type=module', '--eval', program];
      const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'], cwd: CHECKOUT });
      const [line] = (await once(createInterface(child.stdout), 'line')) as [string];
      const folder = line.replaceAll('"', '').replace(/\/novella-1@localhost\/data$/, '');
      expect(await processesWith(folder)).toHaveLength(3);
      child.kill('SIGKILL');
      await waitUntil(async () => (await processesWith(folder)).length === 0 && !existsSync(folder));
    },
    LONG,
  );
});

/** epmd and the nodes, by the home in their environment; not what they start themselves. */
async function processesWith(folder: string): Promise<number[]> {
  const found: number[] = [];
  for (const pid of await readdir('/proc')) {
    const environment = await readFile(join('/proc', pid, 'environ'), 'utf8').catch(() => '');
    const program = await readlink(join('/proc', pid, 'exe')).catch(() => '');
    if (environment.includes(folder) && /beam|epmd/.test(program)) found.push(Number(pid));
  }
  return found;
}
