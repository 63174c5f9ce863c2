import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { type ErrorCode, NovellaError, type RequestId } from '@novella/core';
import type { Keystone } from '@novella/keystone';
import { temporaryDirectory, type TemporaryDirectory } from '@novella/testing';
import { type ImageSettings, openImages } from './open-images.js';

const IMAGE = '99999999-8888-4777-8666-555555555555';
const USER = {
  token: 'alice-token',
  requestId: 'req-00000000-1111-4222-8333-444444444444' as RequestId,
  globalRequestId: null,
};
const silent = { debug() {}, info() {}, warn() {}, error() {} };

let glance: Server;
let asked: (string | undefined)[];
let directory: TemporaryDirectory;
beforeEach(async () => {
  asked = [];
  glance = createServer(({ url, headers }, response) => {
    asked.push(`${url} ${String(headers['x-auth-token'])}`);
    const image = { status: 'active', disk_format: 'raw', container_format: 'bare', size: 1, min_disk: 0, min_ram: 0 };
    response.end(JSON.stringify({ id: IMAGE, name: 'of-glance', checksum: null, ...image }));
  }).listen(0, '127.0.0.1');
  await once(glance, 'listening');
  directory = await temporaryDirectory();
  const described = { id: IMAGE, name: 'of-the-directory', disk_format: 'raw', file: 'disk.raw' };
  await writeFile(join(directory.path, 'disk.raw'), 'x');
  await writeFile(join(directory.path, `${IMAGE}.json`), JSON.stringify(described));
});
afterEach(async () => {
  glance.close();
  glance.closeAllConnections();
  await directory.remove();
});

const url = () => `http://127.0.0.1:${(glance.address() as AddressInfo).port}`;
type Catalog = Pick<Keystone, 'endpoint'>;
const withGlance: Catalog = {
  endpoint: (kind) => (kind === 'image' ? Promise.resolve(url()) : Promise.reject(new Error(`asked for ${kind}`))),
};
const failing = (code: ErrorCode): Catalog => ({ endpoint: () => Promise.reject(new NovellaError(code, code)) });

async function nameOfImage(settings: ImageSettings, catalog: Catalog | null): Promise<string | undefined> {
  const opened = openImages(settings, catalog, silent);
  try {
    return (await opened.images.image(IMAGE, USER))?.name;
  } finally {
    await opened.close();
  }
}

describe('images', () => {
  it('are asked of the Glance in the catalog, as the user', async () => {
    expect(await nameOfImage({}, withGlance)).toBe('of-glance');
    expect(asked).toEqual([`/v2/images/${IMAGE} alice-token`]);
  });

  it('are asked of the Glance that is set, whatever the catalog has', async () => {
    const settings = { glanceEndpoint: url(), imagesDir: directory.path };
    expect(await nameOfImage(settings, failing('endpoint-not-found'))).toBe('of-glance');
  });

  it.each([
    ['without a Keystone', null],
    ['with a Glance in the catalog', withGlance],
  ])('come from the directory that is set, %s', async (_, catalog) => {
    expect(await nameOfImage({ imagesDir: directory.path }, catalog)).toBe('of-the-directory');
    expect(asked).toEqual([]);
  });

  it('come from the usual directory when the catalog has no Glance, and from Glance once it has', async () => {
    let catalog = failing('endpoint-not-found');
    const opened = openImages({}, { endpoint: (kind) => catalog.endpoint(kind) }, silent);
    expect(await opened.images.image(IMAGE, USER)).toBeNull();
    expect(asked).toEqual([]);
    catalog = withGlance;
    expect(await opened.images.image(IMAGE, USER)).toMatchObject({ name: 'of-glance' });
    await opened.close();
  });

  it('are not looked for in the directory when it is not known whether there is a Glance', async () => {
    await expect(nameOfImage({}, failing('keystone-unreachable'))).rejects.toMatchObject({
      code: 'keystone-unreachable',
    });
  });
});
