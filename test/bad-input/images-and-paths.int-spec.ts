import { execFileSync } from 'node:child_process';
import { readdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { ADMIN, faultKey, NO_SUCH_ID, Novella, TINY, USER } from './novella.js';

const imageId = (number: number): string => `11111111-2222-4333-8444-${String(number).padStart(12, '0')}`;
const GOOD = imageId(0);

const qemuImg = (...args: readonly string[]) => execFileSync('qemu-img', ['create', '-q', '-f', 'qcow2', ...args]);

describe('images and flavors', () => {
  let novella: Novella;
  beforeAll(async () => {
    novella = await Novella.start();
    await novella.image(GOOD, {}, 'x');
  }, 120_000);
  afterAll(() => novella.close());

  const imagesDir = () => join(novella.dir.path, 'images');
  const instanceFolders = () => readdir(join(novella.dir.path, 'state', 'compute', 'instances')).catch(() => []);

  it.each<[string, (id: string) => Promise<unknown>]>([
    ['that nobody has described', () => Promise.resolve()],
    ['whose description is no JSON', (id) => writeFile(join(imagesDir(), `${id}.json`), '{')],
    ['whose description is of another image', (id) => novella.image(id, { id: GOOD }, 'x')],
    ['whose file is missing', (id) => novella.image(id, {})],
    ['whose file lies above the folder', (id) => novella.image(id, { file: '../outside' })],
    ['of an unknown format', (id) => novella.image(id, { disk_format: 'vmdk' }, 'x')],
    ['that says qcow2 and is not', (id) => novella.image(id, { disk_format: 'qcow2' }, 'not a qcow2 image at all')],
    [
      'whose file is a link to one outside',
      async (id) => {
        await writeFile(join(novella.dir.path, 'outside'), 'secret');
        await symlink(join(novella.dir.path, 'outside'), join(imagesDir(), `${id}.raw`));
        await novella.image(id, {});
      },
    ],
    [
      'with a backing file',
      async (id) => {
        qemuImg('-b', join(imagesDir(), `${GOOD}.raw`), '-F', 'raw', join(imagesDir(), `${id}.raw`), '1M');
        await novella.image(id, { disk_format: 'qcow2' });
      },
    ],
    [
      'with an external data file',
      async (id) => {
        const data = `data_file=${join(novella.dir.path, 'data')}`;
        qemuImg('-o', data, join(imagesDir(), `${id}.raw`), '1M');
        await novella.image(id, { disk_format: 'qcow2' });
      },
    ],
    ['that needs more disk than the flavor has', (id) => novella.image(id, { min_disk: 2 }, 'x')],
    ['that needs more memory than the flavor has', (id) => novella.image(id, { min_ram: 513 }, 'x')],
  ])('an image %s is a 400, and nothing is written or reserved', async (situation, make) => {
    const id = imageId(100 + situation.length);
    await make(id);
    const volume = await novella.volume();
    const before = [await novella.rows(), await instanceFolders()];
    const answer = await novella.requestServer({ imageRef: id, block_device_mapping_v2: rootAnd(id, volume) });
    expect([answer.status, faultKey(answer)]).toEqual([400, 'badRequest']);
    expect([await novella.rows(), await instanceFolders()]).toEqual(before);
    expect([await novella.volumeStatus(volume), await novella.attachmentsAtCinder(volume)]).toEqual(['available', []]);
  });

  it('the reason of a refused image is said, and no path of the host', async () => {
    const id = imageId(1);
    qemuImg('-b', join(imagesDir(), `${GOOD}.raw`), '-F', 'raw', join(imagesDir(), `${id}.raw`), '1M');
    await novella.image(id, { disk_format: 'qcow2' });
    const { text } = await novella.requestServer({ imageRef: id });
    expect(text).toContain('backing file');
    expect(text).not.toContain(novella.dir.path);
  });

  it.each<[string, (id: string) => Promise<unknown>, string]>([
    [
      'an image that shows a larger disk than its file',
      async (id) => {
        qemuImg(join(imagesDir(), `${id}.raw`), '2G');
        await novella.image(id, { disk_format: 'qcow2' });
      },
      'flavor-too-small',
    ],
    [
      'an image with a kernel that is not there',
      (id) => novella.image(id, { properties: { kernel_id: NO_SUCH_ID, ramdisk_id: GOOD } }, 'x'),
      'image-not-found',
    ],
    ['a kernel as image', (id) => novella.image(id, { disk_format: 'aki' }, 'x'), 'image-refused'],
  ])('%s ends in ERROR with the reason, and its volume is let go', async (situation, make, code) => {
    const id = imageId(300 + situation.length);
    await make(id);
    const volume = await novella.volume();
    const created = await novella.requestServer({ imageRef: id, block_device_mapping_v2: rootAnd(id, volume) });
    expect(created.status).toBe(202);
    const server = created.json.server.id;
    const shown = await novella.untilServer(server, 'ERROR');
    expect(shown.fault).toMatchObject({ code: 500, details: expect.stringContaining(`${code}: `) });
    expect((await novella.endedAction(server, 'create')).result).toBe('Error');
    expect(await novella.attachments(server)).toEqual([]);
    expect([await novella.volumeStatus(volume), await novella.attachmentsAtCinder(volume)]).toEqual(['available', []]);
    expect(await instanceFolders()).not.toContain(server);
    await novella.deleteServer(server);
  });

  it('a server that is in ERROR takes no volume, and can be deleted', async () => {
    const id = await novella.image(imageId(2), { disk_format: 'aki' }, 'x');
    const { json } = await novella.requestServer({ imageRef: id });
    await novella.untilServer(json.server.id, 'ERROR');
    const volume = await novella.volume();
    const answer = await novella.attach(json.server.id, volume);
    expect([answer.status, faultKey(answer)]).toEqual([409, 'conflictingRequest']);
    expect(await novella.volumeStatus(volume)).toBe('available');
    await novella.deleteServer(json.server.id);
  });
});

describe('a volume outside of the configured roots', () => {
  let novella: Novella;
  let server: string;
  beforeAll(async () => {
    novella = await Novella.start({ volumesOutside: true });
    await novella.image(GOOD, {}, 'x');
    server = await novella.server(GOOD);
  }, 120_000);
  afterAll(() => novella.close());

  it('is not attached: the reason stands in the action, and Cinder has it back', async () => {
    const volume = await novella.volume();
    expect((await novella.attach(server, volume)).status).toBe(200);
    const event = await novella.endedAction(server, 'attach_volume');
    expect([event.event, event.result]).toEqual(['compute_attach_volume', 'Error']);
    expect(event.details).toMatch(/^path-outside-roots: /);
    await novella.untilVolume(volume, 'available');
    expect([await novella.attachments(server), await novella.attachmentsAtCinder(volume)]).toEqual([[], []]);
    expect(novella.virt.calls.filter(({ method }) => method === 'attachDisk')).toEqual([]);
    expect((await novella.show(server)).status).toBe('ACTIVE');
  });

  it('hides the details of the failure from the user', async () => {
    const [action] = await novella.actions(server, 'attach_volume');
    const path = `/servers/${server}/os-instance-actions/${action?.request_id ?? ''}`;
    const { json } = await novella.nova('GET', path, { as: USER });
    expect(json.instanceAction.message).toMatch(/^Error: .*\(/);
    expect(json.instanceAction.events[0]).not.toHaveProperty('details');
  });

  it('ends a build in ERROR with the reason, and Cinder has it back', async () => {
    const volume = await novella.volume();
    const fields = { imageRef: GOOD, flavorRef: TINY, block_device_mapping_v2: rootAnd(GOOD, volume) };
    const { json } = await novella.requestServer(fields, { as: ADMIN });
    const shown = await novella.untilServer(json.server.id, 'ERROR');
    expect(shown.fault?.details).toMatch(/^path-outside-roots: /);
    expect([await novella.volumeStatus(volume), await novella.attachmentsAtCinder(volume)]).toEqual(['available', []]);
  });
});

const rootAnd = (image: string, volume: string) => [
  { source_type: 'image', destination_type: 'local', boot_index: 0, uuid: image },
  { source_type: 'volume', destination_type: 'volume', boot_index: -1, uuid: volume },
];
