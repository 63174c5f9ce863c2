import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type NovaRecorder, startNovaRecorder } from '../../../test/openstack/nova-recorder.js';
import { rawCinder, until } from '../../../test/openstack/raw-cinder.js';
import { type CinderDev, startCinderDev } from './start-cinder-dev.js';

const execute = promisify(execFile);
const PROJECT = 'd'.repeat(32);
const quiet = { debug() {}, info() {}, warn() {}, error() {} };

describe('cinder-dev with loop devices', () => {
  let dataDir: string;
  let nova: NovaRecorder;
  let cinder: CinderDev;
  const start = async () => {
    cinder = await startCinderDev({ port: 0, dataDir, novaEndpoint: nova.endpoint, useLoop: true, log: quiet });
  };
  const call = (...[method, path, options]: Parameters<ReturnType<typeof rawCinder>['call']>) =>
    rawCinder(cinder.url, PROJECT).call(method, path, options);

  beforeAll(async () => {
    dataDir = await mkdtemp(join(tmpdir(), 'cinder-dev-'));
    nova = await startNovaRecorder();
    await start();
  });
  afterAll(async () => {
    await cinder.close();
    await nova.close();
    await rm(dataDir, { recursive: true });
  });

  it('hands out a block device, grows it before Nova is told, keeps it over a restart, and lets it go', async () => {
    const volume = await createVolume();
    const attachment = await attach(volume);
    const path = `/attachments/${attachment}`;
    const device = await deviceOf(path);
    expect(device).toMatch(/^\/dev\/loop\d+$/);
    expect(await bytesOf(device)).toBe(2 ** 30);

    const again = await deviceOf(`/attachments/${await attachAgain(volume, attachment)}`);
    expect(again).toBe(device);

    await call('POST', `/volumes/${volume}/action`, { body: { 'os-extend': { new_size: 2 } } });
    await until(
      () => nova.requests,
      ({ length }) => length > 0,
    );
    expect(await bytesOf(device)).toBe(2 * 2 ** 30);

    await cinder.close();
    expect(await loops()).not.toContain(volume);
    await start();
    expect(await deviceOf(path)).toBe(device);
    expect(await bytesOf(device)).toBe(2 * 2 ** 30);

    const { body } = await call('GET', `/attachments?volume_id=${volume}`);
    for (const { id } of (body as { attachments: { id: string }[] }).attachments) {
      expect(await loops()).toContain(volume);
      await call('DELETE', `/attachments/${id}`);
    }
    expect(await loops()).not.toContain(volume);
  });

  async function createVolume(): Promise<string> {
    const { body } = await call('POST', '/volumes', { body: { volume: { size: 1 } } });
    const { id } = (body as { volume: { id: string } }).volume;
    await until(
      () => call('GET', `/volumes/${id}`),
      (answer) => JSON.stringify(answer.body).includes('"available"'),
    );
    return id;
  }

  async function attach(volume: string, server = '22222222-2222-4222-8222-222222222222'): Promise<string> {
    const created = await call('POST', '/attachments', {
      body: { attachment: { volume_uuid: volume, instance_uuid: server } },
    });
    const { id } = (created.body as { attachment: { id: string } }).attachment;
    await call('PUT', `/attachments/${id}`, { body: { attachment: { connector: { host: 'compute-1' } } } });
    await call('POST', `/attachments/${id}/action`, { body: { 'os-complete': {} } });
    return id;
  }

  /** As when a server moves: a second attachment of the same server while the first is there. */
  async function attachAgain(volume: string, first: string): Promise<string> {
    const second = await attach(volume);
    expect(second).not.toBe(first);
    return second;
  }

  async function deviceOf(path: string): Promise<string> {
    const { body } = await call('GET', path);
    return (body as { attachment: { connection_info: { device_path: string } } }).attachment.connection_info
      .device_path;
  }
});

async function bytesOf(device: string): Promise<number> {
  return Number((await execute('blockdev', ['--getsize64', device])).stdout);
}
async function loops(): Promise<string> {
  return (await execute('losetup', ['--list', '--noheadings', '--output', 'BACK-FILE'])).stdout;
}
