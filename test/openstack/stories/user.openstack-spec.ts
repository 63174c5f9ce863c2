import { beforeAll, describe, expect, it } from '@jest/globals';
import { guestImages } from '@novella/testing';
import { z } from 'zod';
import { BOOT_MS, Cloud, type Server, size } from './cloud.js';
import { type Inventory, takeInventory } from './inventory.js';

/** What a user types, each command as the program of its own that it is; nothing is asked in another way. */
describe('a user with the openstack command', () => {
  let cloud: Cloud;
  let before: Inventory;
  let server: Server;
  let volume: string;
  const images: string[] = [];

  beforeAll(async () => {
    cloud = await Cloud.open();
    before = await takeInventory(cloud.facts);
  });

  const type = async (...words: string[]): Promise<string> => cloud.demo.program(...words);
  const idOf = (...words: string[]) => type(...words, '-f', 'value', '-c', 'id');

  it(
    'uploads an image and creates a server of it, which boots',
    async () => {
      const { kernelPath, initrdPath } = await guestImages();
      const upload = async (kind: string, file: string, ...more: string[]) => {
        const format = ['--disk-format', kind, '--container-format', kind];
        images.push(await idOf('image', 'create', ...format, '--file', file, ...more, `user-${kind}`));
        return images.at(-1) ?? '';
      };
      const kernel = await upload('aki', kernelPath);
      const ramdisk = await upload('ari', initrdPath);
      const properties = {
        kernel_id: kernel,
        ramdisk_id: ramdisk,
        os_command_line: 'console=ttyS0 quiet panic=-1 mitigations=off nokaslr tsc=reliable no_timer_check',
      };
      const set = Object.entries(properties).flatMap(([name, value]) => ['--property', `${name}=${value}`]);
      const image = await upload('ami', '/dev/null', ...set);
      const made = ['--image', image, '--flavor', 'guest', '--nic', 'none', '--wait', 'user'];
      server = await cloud.booted(await idOf('--os-compute-api-version', '2.37', 'server', 'create', ...made));
    },
    BOOT_MS,
  );

  it('creates a volume and attaches it', async () => {
    volume = await idOf('volume', 'create', '--size', '1', 'user');
    await cloud.untilVolume(volume, 'available', 1);
    await type('server', 'add', 'volume', server.id, volume);
    await server.guest.waitForSize(volume, size(1));
    await cloud.untilVolume(volume, 'in-use', 1);
  });

  it('grows it while it is attached, and the kernel of the guest tells the new size', async () => {
    await type('--os-volume-api-version', '3.42', 'volume', 'set', '--size', '2', volume);
    await server.guest.waitForSize(volume, size(2));
    expect(await type('volume', 'show', volume, '-f', 'value', '-c', 'size', '-c', 'status')).toBe('2\nin-use');
  });

  it('reads what happened in the list of events of the server', async () => {
    const listed = await type('server', 'event', 'list', server.id, '-f', 'json');
    const events = z.array(z.looseObject({ Action: z.string(), 'Request ID': z.string() })).parse(JSON.parse(listed));
    expect(events.map(({ Action }) => Action)).toEqual(['extend_volume', 'attach_volume', 'create']);
    await cloud.ended(server.id, 'extend_volume', 1);
    const id = events[0]?.['Request ID'] ?? '';
    const shown = await type(
      '--os-compute-api-version',
      '2.51',
      'server',
      'event',
      'show',
      server.id,
      id,
      '-f',
      'json',
    );
    expect(JSON.parse(shown)).toMatchObject({
      action: 'extend_volume',
      events: [{ event: 'compute_extend_volume', result: 'Success' }],
    });
  });

  it('detaches it and deletes everything', async () => {
    await type('server', 'remove', 'volume', server.id, volume);
    await server.guest.waitForNoDisk(volume);
    await cloud.untilVolume(volume, 'available', 2);
    await type('volume', 'delete', volume);
    await type('server', 'delete', '--wait', server.id);
    await type('image', 'delete', ...images);
    await cloud.untilAsBefore(before);
  });
});
