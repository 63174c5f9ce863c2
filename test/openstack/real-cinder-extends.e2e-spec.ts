import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { describe, expect, it } from '@jest/globals';
import { createCinderClient, noAuth } from '@novella/cinder';
import { type ProjectId, type ServerId, type VolumeId } from '@novella/core';
import { cinderContract } from './cinder-contract.js';
import { startNovaRecorder } from './nova-recorder.js';
import { rawCinder, until } from './raw-cinder.js';
import { startRealCinder } from './real-cinder.js';

cinderContract("OpenStack's own Cinder", async (novaEndpoint) => {
  const cinder = await startRealCinder({ novaEndpoint });
  return { ...cinder, canDeleteConnectedAttachments: false, close: () => cinder.stop() };
});

const execute = promisify(execFile);
const quiet = { debug() {}, info() {}, warn() {}, error() {} };

describe("OpenStack's own Cinder with loop devices", () => {
  it('has grown the block device before it tells Nova', async () => {
    const nova = await startNovaRecorder();
    const cinder = await startRealCinder({ novaEndpoint: nova.endpoint, useLoop: true });
    const { url, project } = cinder;
    const owner = project as ProjectId;
    const client = createCinderClient({ endpoint: url, auth: noAuth('nova', owner), log: quiet });
    const raw = rawCinder(url, project);
    try {
      const created = await raw.call('POST', '/volumes', { body: { volume: { size: 1 } } });
      const { id } = (created.body as { volume: { id: VolumeId } }).volume;
      await until(
        () => client.getVolume(id),
        ({ status }) => status === 'available',
      );
      const attachment = await client.createAttachment(id, '22222222-2222-4222-8222-222222222222' as ServerId);
      const { connection } = await client.updateAttachment(attachment.id, { host: 'compute-1' });
      if (connection.protocol !== 'local') throw new Error(`a volume of type ${connection.protocol}`);
      const { devicePath } = connection;
      await client.completeAttachment(attachment.id);
      expect(await bytesOf(devicePath)).toBe(2 ** 30);
      await raw.call('POST', `/volumes/${id}/action`, { body: { 'os-extend': { new_size: 2 } } });
      await until(
        () => nova.requests,
        ({ length }) => length > 0,
      );
      expect(await bytesOf(devicePath)).toBe(2 * 2 ** 30);
    } finally {
      await client.close();
      await cinder.stop();
      await nova.close();
    }
  }, 180_000);
});

async function bytesOf(device: string): Promise<number> {
  return Number((await execute('blockdev', ['--getsize64', device])).stdout);
}
