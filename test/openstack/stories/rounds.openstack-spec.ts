import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { beforeAll, describe, expect, it } from '@jest/globals';
import { BOOT_MS, Cloud, type Server } from './cloud.js';
import { type Inventory, takeInventory } from './inventory.js';

/** In all; over all back ends and both hosts. */
const ROUNDS = 50;
const PROGRAM = join(import.meta.dirname, 'attachment_rounds.py');

describe('attach, extend, detach', () => {
  let cloud: Cloud;
  let before: Inventory;
  let servers: Server[];

  beforeAll(async () => {
    cloud = await Cloud.open();
    before = await takeInventory(cloud.facts);
    servers = [await cloud.server('rounds-1', cloud.images.virtio), await cloud.server('rounds-2', cloud.images.scsi)];
  }, 2 * BOOT_MS);

  it(`goes ${ROUNDS} times, and the guests see each volume come, grow and go`, async () => {
    const types = cloud.typesOf(['files', 'loops', 'ceph']);
    const done = await Promise.all(servers.map((server) => rounds(server, types, ROUNDS / servers.length)));
    expect(done.flat()).toHaveLength(ROUNDS);
    for (const [n, { guest }] of servers.entries()) {
      const said = await guest.text();
      for (const volume of done[n] ?? []) {
        const lines = said.split('\n').filter((line) => line.includes(`serial=${volume.slice(0, 20)}`));
        const changes = lines.map((line) => line.trim().replace(/^.*serial=\S+ /, ''));
        // A guest that looks just while a disk goes may find it without sectors.
        expect(changes.filter((change) => change !== 'resized sectors=0')).toEqual([
          'sectors=2097152',
          'resized sectors=4194304',
          'gone',
        ]);
      }
    }
  }, 1_800_000);

  it('leaves 0 volumes, attachments, devices and, with the servers, domains', async () => {
    await cloud.deleteServers(...servers.map(({ id }) => id));
    await cloud.untilAsBefore(before);
  });

  /** The volumes that it has made; fails with what the program complained of. */
  async function rounds({ id }: Server, types: readonly string[], count: number): Promise<string[]> {
    const env = { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', LANG: 'C.UTF-8', ...cloud.facts.demo };
    const { stdout } = await promisify(execFile)('/usr/bin/python3', [PROGRAM, String(count), id, ...types], { env });
    const lines = stdout.trim().split('\n');
    expect(lines.map((line) => line.split(' ')[1])).toEqual(lines.map(() => 'Success'));
    return lines.map((line) => line.split(' ')[0] ?? '');
  }
});
