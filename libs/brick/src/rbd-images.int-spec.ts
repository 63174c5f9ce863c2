import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { seconds } from '@novella/core';
import { freePort, type PrivateCeph, startPrivateCeph, waitUntil } from '@novella/testing';
import { type RbdCluster, RbdProcesses } from './rbd-images.js';

jest.setTimeout(180_000);
const MIB = 2 ** 20;

/** Images in a real Ceph cluster, looked at by real processes. */
describe('RbdProcesses', () => {
  let ceph: PrivateCeph;
  let cluster: RbdCluster;
  beforeAll(async () => {
    ceph = await startPrivateCeph();
    const monitors = ceph.monitors.map(({ host, port }) => `${host}:${port}`);
    cluster = { conf: '/dev/null', monitors, user: ceph.client.user, key: ceph.client.key };
    await ceph.rbd('create', 'volumes/one', '--size', '8M');
    await ceph.rbd('create', 'volumes/two', '--size', '16M');
  });
  afterAll(() => ceph.stop());

  const looks = () => new RbdProcesses({ clusterTimeout: seconds(3) });
  const at = (image: string, more: { head?: number; atLeast?: number } = {}) => ({
    ...{ pool: 'volumes', image, head: 0, atLeast: null },
    ...more,
  });

  /** Processes of ours that look into this cluster. */
  async function processes(): Promise<number[]> {
    const { stdout } = await promisify(execFile)('ps', ['-o', 'pid=,comm=', '--ppid', String(process.pid)]);
    return [...stdout.matchAll(/^\s*(\d+) python3/gm)].map(([, pid]) => Number(pid));
  }

  it('measures images as they are at that moment, all by one process', async () => {
    const images = looks();
    const both = await Promise.all([images.look(cluster, at('one')), images.look(cluster, at('two'))]);
    expect(both.map(({ size }) => size)).toEqual([8 * MIB, 16 * MIB]);
    await ceph.rbd('resize', '--no-progress', 'volumes/one', '--size', '12M');
    expect((await images.look(cluster, at('one'))).size).toBe(12 * MIB);
    expect(await processes()).toHaveLength(1);
  });

  it('makes an image longer when asked to, and none shorter', async () => {
    const images = looks();
    await ceph.rbd('create', 'volumes/grown', '--size', '8M');
    expect((await images.look(cluster, at('grown', { atLeast: 10 * MIB }))).size).toBe(10 * MIB);
    expect((await images.look(cluster, at('grown', { atLeast: 4 * MIB }))).size).toBe(10 * MIB);
  });

  it('reads the first bytes, as many as there are', async () => {
    await ceph.rbd('create', 'volumes/short', '--size', '1M');
    const { head } = await looks().look(cluster, at('short', { head: 592 }));
    expect(head).toEqual(Buffer.alloc(592));
    await ceph.rbd('create', 'volumes/empty', '--size', '0');
    expect((await looks().look(cluster, at('empty', { head: 592 }))).head).toHaveLength(0);
  });

  it.each([
    ['image', at('none')],
    ['pool', { ...at('one'), pool: 'none' }],
  ])('says that there is no such %s, and goes on', async (_, look) => {
    const images = looks();
    await expect(images.look(cluster, look)).rejects.toMatchObject({ code: 'host-device-missing' });
    expect((await images.look(cluster, at('two'))).size).toBe(16 * MIB);
  });

  it('says that the cluster is not reached or refuses the user, without the key', async () => {
    const nobody = { ...cluster, monitors: [`127.0.0.1:${await freePort()}`] };
    const stranger = { ...cluster, key: 'AQBg2wxrRvy9OBAA+iQ0jS7cM63tldhy75VYnw==' };
    for (const unreachable of [nobody, stranger]) {
      const error = await looks()
        .look(unreachable, at('one'))
        .catch((refused: unknown) => refused);
      expect(error).toMatchObject({ code: 'paths-down', facts: { path: 'volumes/one' } });
      expect(String((error as Error).cause)).not.toContain(unreachable.key);
    }
  });

  it('fails what a killed process was asked, and asks another one the next time', async () => {
    const before = await processes();
    const images = looks();
    await images.look(cluster, at('one'));
    const own = (await processes()).filter((pid) => !before.includes(pid));
    expect(own).toHaveLength(1);
    process.kill(own[0]!, 'SIGSTOP');
    const asked = images.look(cluster, at('one'));
    const failed = expect(asked).rejects.toMatchObject({ code: 'paths-down' });
    process.kill(own[0]!, 'SIGKILL');
    await failed;
    expect((await images.look(cluster, at('one'))).size).toBe(12 * MIB);
  });

  it('shows the key in no argument and in no environment', async () => {
    await looks().look(cluster, at('one'));
    for (const pid of await processes()) {
      for (const file of ['cmdline', 'environ']) {
        expect(await readFile(`/proc/${pid}/${file}`, 'utf8')).not.toContain(cluster.key);
      }
    }
  });

  it('keeps nobody from ending, and ends with who has started it', async () => {
    const program = `
      import { execFileSync } from 'node:child_process';
      import { RbdProcesses } from '@novella/brick';
      const [cluster, look] = JSON.parse(process.env.ASKED);
      const { size } = await new RbdProcesses().look(cluster, look);
      const pid = execFileSync('pgrep', ['-P', String(process.pid), 'python3'], { encoding: 'utf8' });
      console.log(size, Number(pid));`;
    const args = ['--import', './test/bad-input/typescript.mjs', '--input-type=module', '--eval', program];
    const env = { ...process.env, ASKED: JSON.stringify([cluster, at('two')]) };
    const { stdout } = await promisify(execFile)(process.execPath, args, { env, timeout: 60_000 });
    const [size, pid] = stdout.trim().split(' ').map(Number);
    expect(size).toBe(16 * MIB);
    await waitUntil(() => !existsSync(`/proc/${pid}`), { what: 'its end' });
  });
});
