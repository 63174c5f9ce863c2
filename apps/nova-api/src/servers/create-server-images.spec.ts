import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { bytes, type ErrorCode, NovellaError } from '@novella/core';
import { EVERY_PROJECT } from '@novella/persistence';
import type { Image } from '@novella/image';
import { FLAVOR, image, IMAGE, startNovaApi, type TestApi, USER } from '../testing/start-nova-api.js';

const KERNEL = '11111111-2222-4333-8444-666666666666';
const RAMDISK = '11111111-2222-4333-8444-777777777777';
const BOOT = 'b0000000-0000-4000-8000-000000000000';
const HASH = { algorithm: 'sha512', value: 'ab'.repeat(64) } as const;

let api: TestApi;
beforeEach(async () => {
  api = await startNovaApi();
  const { properties } = image();
  const byKernel = { ...properties, kernelId: KERNEL, ramdiskId: RAMDISK, commandLine: 'quiet' };
  remote(IMAGE, { diskFormat: 'ami', properties: byKernel, minDiskGib: 1, minMemoryMib: 64 });
  remote(KERNEL, { diskFormat: 'aki', remote: { hash: null } });
  remote(RAMDISK, { diskFormat: 'ari' });
});
afterEach(() => api.close());

/** One that the image service has. */
const remote = (id: string, more: Partial<Image>): unknown =>
  api.images.set(id, image({ id, size: bytes(4096), remote: { hash: HASH }, ...more }));
const create = (fields: object = {}) =>
  api.ask('POST', '/v2.1/servers', {
    version: '2.96',
    body: { server: { name: 'vm', flavorRef: FLAVOR.id, imageRef: IMAGE, networks: 'none', ...fields } },
  });
const servers = async () => {
  const listed = await api.store.instances({ projectId: EVERY_PROJECT, limit: 100, marker: null });
  if (typeof listed === 'string') throw new Error(listed);
  return listed;
};

describe('POST /servers with an image of the image service', () => {
  it('keeps with the server what its image, kernel and ramdisk are now', async () => {
    expect((await create()).code).toBe(202);
    const facts = { size: 4096, minDiskGib: 0, minMemoryMib: 0, commandLine: null };
    expect((await servers())[0]?.bootImages).toEqual({
      image: {
        ...facts,
        id: IMAGE,
        diskFormat: 'ami',
        hash: HASH,
        minDiskGib: 1,
        minMemoryMib: 64,
        commandLine: 'quiet',
      },
      kernel: { ...facts, id: KERNEL, diskFormat: 'aki', hash: null },
      ramdisk: { ...facts, id: RAMDISK, diskFormat: 'ari', hash: HASH },
    });
  });

  it('asks for each of them in the name of the user', async () => {
    await create();
    expect(api.imagesAsked.map(({ id }) => id).toSorted()).toEqual([IMAGE, KERNEL, RAMDISK]);
    expect(api.imagesAsked.map(({ user }) => user.token)).toEqual([USER, USER, USER]);
  });

  it.each([
    ['the image', IMAGE],
    ['its kernel', KERNEL],
    ['its ramdisk', RAMDISK],
  ])('is refused with 400 when the user does not see %s', async (_what, id) => {
    api.images.delete(id);
    const answer = await create();
    expect([answer.code, answer.json.badRequest.message]).toEqual([400, `Image ${id} could not be found.`]);
    expect(await servers()).toEqual([]);
  });

  it.each<[ErrorCode, number]>([
    ['image-not-active', 400],
    ['image-refused', 400],
    ['image-service-unauthorized', 400],
    ['image-service-unreachable', 503],
    ['image-service-answer-invalid', 500],
  ])('answers for %s of the image or its kernel with %i, and writes nothing', async (code, status) => {
    for (const id of [IMAGE, KERNEL]) {
      api.imageFaults.set(id, new NovellaError(code, `Image ${id} is not active.`));
      expect((await create()).code).toBe(status);
      api.imageFaults.clear();
    }
    expect(await servers()).toEqual([]);
    expect(api.hints()).toBe(0);
  });

  it('says of an image that is not active what Nova says', async () => {
    api.imageFaults.set(IMAGE, new NovellaError('image-not-active', `Image ${IMAGE} is not active.`));
    expect((await create()).json.badRequest.message).toBe(`Image ${IMAGE} is not active.`);
  });
});

it('keeps nothing of an image that hosts have themselves, nor asks for its kernel', async () => {
  const { properties } = image();
  api.images.set(IMAGE, image({ properties: { ...properties, kernelId: KERNEL } }));
  api.images.delete(KERNEL);
  expect((await create()).code).toBe(202);
  expect((await servers())[0]?.bootImages).toBeNull();
});

it('asks for no image for a server that boots from a volume, whatever that was made of', async () => {
  api.cinder.add(BOOT, { bootable: true, imageMetadata: { image_id: IMAGE, hw_disk_bus: 'scsi' } });
  const boot = { source_type: 'volume', destination_type: 'volume', boot_index: 0, uuid: BOOT };
  expect((await create({ imageRef: '', block_device_mapping_v2: [boot] })).code).toBe(202);
  expect((await servers())[0]).toMatchObject({ imageRef: null, bootImages: null, diskBus: 'scsi' });
  expect(api.imagesAsked).toEqual([]);
});
