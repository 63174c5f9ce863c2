import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { stat, truncate } from 'node:fs/promises';
import { bytes, type ServerId } from '@novella/core';
import { type NovaRecorder, startNovaRecorder } from '../openstack/nova-recorder.js';
import { Cloud, developmentCinder } from './cloud.js';

const GIB = 2 ** 30;
const SUCCESS = {
  action: 'extend_volume',
  message: null,
  events: [{ event: 'compute_extend_volume', result: 'Success' }],
};

describe('a raw file on virtio-blk', () => {
  let cloud: Cloud;
  let server: Awaited<ReturnType<Cloud['server']>>;

  beforeAll(async () => {
    cloud = await Cloud.start(developmentCinder());
    server = await cloud.server(cloud.images.imageId);
  }, 120_000);
  afterAll(async () => {
    await cloud.stop();
  }, 60_000);

  it('is seen with its new size by the running guest after one extend at the volume service', async () => {
    const volume = await cloud.attachedVolume(server);
    expect((await cloud.extend(volume, 2)).status).toBe(202);
    const seen = await server.guest.waitForSize(volume, bytes(2 * GIB));
    expect(seen.name).toMatch(/^vd/);
    expect(await cloud.extendsOf(server.id, 1)).toMatchObject([SUCCESS]);
    const { body } = await cloud.nova<{ volumeAttachments: { volumeId: string; device: string }[] }>(
      'GET',
      `/servers/${server.id}/os-volume_attachments`,
    );
    expect(body.volumeAttachments).toContainEqual(expect.objectContaining({ volumeId: volume, device: '/dev/vdb' }));
  }, 60_000);

  it('grows while its server is paused: the guest sees it when it goes on', async () => {
    const volume = await cloud.attachedVolume(server);
    const before = (await cloud.extendsOf(server.id, 0)).length;
    await cloud.act(server.id, 'pause', 'PAUSED');
    await cloud.grow(volume, 2);
    expect((await cloud.extendsOf(server.id, before + 1))[0]).toMatchObject(SUCCESS);
    const paused = await cloud.hypervisor.guest(server.id as ServerId);
    expect(paused?.powerState).toBe('paused');
    expect(paused?.disks).toContainEqual(expect.objectContaining({ volume, guestBytes: 2 * GIB }));
    await cloud.act(server.id, 'unpause', 'ACTIVE');
    await server.guest.waitForSize(volume, bytes(2 * GIB));
  }, 60_000);

  it('grows while its server is suspended: the guest goes on where it was, and sees it', async () => {
    const volume = await cloud.attachedVolume(server);
    const before = (await cloud.extendsOf(server.id, 0)).length;
    await cloud.act(server.id, 'suspend', 'SUSPENDED');
    const path = `/servers/${server.id}/os-volume_attachments/${volume}`;
    expect((await cloud.nova('DELETE', path)).status).toBe(409);
    await cloud.grow(volume, 2);
    expect((await cloud.extendsOf(server.id, before + 1))[0]).toMatchObject(SUCCESS);
    await cloud.act(server.id, 'resume', 'ACTIVE');
    await server.guest.waitForSize(volume, bytes(2 * GIB));
    // It was told by an extend that the resume has opened.
    expect((await cloud.extendsOf(server.id, before + 2)).slice(0, 2)).toMatchObject([SUCCESS, SUCCESS]);
    expect(await server.guest.text()).not.toContain('GUEST ready');
  }, 60_000);

  it('grows under a server that boots from it, as does its record', async () => {
    const volume = await cloud.volume();
    await cloud.volumes('POST', `/volumes/${volume}/action`, { 'os-set_bootable': { bootable: true } });
    const boot = { uuid: volume, source_type: 'volume', destination_type: 'volume', boot_index: 0 };
    const id = await cloud.activeServer({ block_device_mapping_v2: [boot] });
    await cloud.untilVolume(volume, 'in-use', 1);
    await cloud.grow(volume, 2);
    expect(await cloud.extendsOf(id, 1)).toMatchObject([SUCCESS]);
    const guest = await cloud.hypervisor.guest(id as ServerId);
    expect(guest?.disks).toMatchObject([{ volume, device: 'vda', guestBytes: 2 * GIB }]);
    await cloud.deleteServer(id);
    await cloud.untilVolume(volume, 'available', 2);
  }, 60_000);

  it('grows beside a root disk that was made from a disk image', async () => {
    const imageRef = await cloud.diskImage();
    const id = await cloud.activeServer({ imageRef, flavorRef: '1' });
    const volume = await cloud.volume();
    await cloud.nova('POST', `/servers/${id}/os-volume_attachments`, { volumeAttachment: { volumeId: volume } });
    await cloud.untilVolume(volume, 'in-use', 1);
    await cloud.grow(volume, 2);
    expect(await cloud.extendsOf(id, 1)).toMatchObject([SUCCESS]);
    const guest = await cloud.hypervisor.guest(id as ServerId);
    expect(guest?.disks).toMatchObject([{ volume, device: 'vdb', guestBytes: 2 * GIB }]);
    await cloud.deleteServer(id);
  }, 60_000);

  it('is deleted with its server: no domain, no attachment, no file of the instance stays', async () => {
    const other = await cloud.server(cloud.images.imageId);
    const volume = await cloud.attachedVolume(other);
    await cloud.deleteServer(other.id);
    await cloud.untilVolume(volume, 'available', 1);
    expect(await cloud.hypervisor.guest(other.id as ServerId)).toBeNull();
    await expect(stat(`${cloud.dir.path}/novella/compute/instances/${other.id}`)).rejects.toMatchObject({
      code: 'ENOENT',
    });
  }, 120_000);
});

describe('volumes whose events are posted by hand', () => {
  let recorder: NovaRecorder;
  let cloud: Cloud;
  let server: Awaited<ReturnType<Cloud['server']>>;

  beforeAll(async () => {
    recorder = await startNovaRecorder();
    cloud = await Cloud.start(developmentCinder({ eventsTo: recorder.endpoint }));
    server = await cloud.server(cloud.images.imageId);
  }, 120_000);
  afterAll(async () => {
    await cloud.stop();
    await recorder.close();
  }, 60_000);

  it('grows with its neighbour when both are named in one POST, each with an action of its own', async () => {
    const before = (await cloud.extendsOf(server.id, 0)).length;
    const [first, second] = [await cloud.attachedVolume(server), await cloud.attachedVolume(server)];
    await cloud.grow(first, 2);
    await cloud.grow(second, 3);
    const posted = await cloud.nova('POST', '/os-server-external-events', {
      events: [cloud.event(server.id, first), cloud.event(server.id, second)],
    });
    expect(posted).toMatchObject({ status: 200, body: { events: [{ code: 200 }, { code: 200 }] } });
    await server.guest.waitForSize(first, bytes(2 * GIB));
    await server.guest.waitForSize(second, bytes(3 * GIB));
    const actions = await cloud.extendsOf(server.id, before + 2);
    expect(actions.slice(0, 2)).toMatchObject([SUCCESS, SUCCESS]);
    expect(new Set(actions.map(({ request_id }) => request_id)).size).toBe(actions.length);
  }, 60_000);

  it('grows although a bad event stands beside it in the POST', async () => {
    const volume = await cloud.attachedVolume(server);
    await cloud.grow(volume, 2);
    const unknown = '99999999-9999-4999-8999-999999999999';
    const posted = await cloud.nova('POST', '/os-server-external-events', {
      events: [
        cloud.event(unknown, volume),
        cloud.event(server.id, volume),
        { name: 'volume-extended', server_uuid: server.id },
      ],
    });
    expect(posted).toMatchObject({ status: 207, body: { events: [{ code: 404 }, { code: 200 }, { code: 400 }] } });
    await server.guest.waitForSize(volume, bytes(2 * GIB));
  }, 60_000);

  it('ends with Error and its reason when the host does not have the size that Cinder says, and the guest goes on', async () => {
    const before = (await cloud.extendsOf(server.id, 0)).length;
    const volume = await cloud.attachedVolume(server);
    const path = await cloud.sourceOf(server.id, volume);
    await cloud.grow(volume, 2);
    await truncate(path, GIB);
    await cloud.nova('POST', '/os-server-external-events', { events: [cloud.event(server.id, volume)] });
    const [action] = await cloud.extendsOf(server.id, before + 1, 150_000);
    expect(action).toMatchObject({
      message: expect.stringMatching(/^Error: .*\(host-device-too-small\)/),
      events: [{ result: 'Error', details: expect.stringMatching(/^host-device-too-small/) }],
    });
    const guest = await cloud.hypervisor.guest(server.id as ServerId);
    expect(guest).toMatchObject({ powerState: 'running' });
    expect(guest?.disks.find((disk) => disk.volume === volume)?.guestBytes).toBe(GIB);
  }, 180_000);
});

describe('a loop device on virtio-scsi', () => {
  let cloud: Cloud;
  let server: Awaited<ReturnType<Cloud['server']>>;

  beforeAll(async () => {
    cloud = await Cloud.start(developmentCinder({ useLoop: true }));
    server = await cloud.server(cloud.images.scsiImageId);
  }, 120_000);
  afterAll(async () => {
    await cloud.stop();
  }, 60_000);

  it('is re-read on the host before the hypervisor is told, and the guest sees it grow twice', async () => {
    const volume = await cloud.attachedVolume(server);
    expect(await cloud.sourceOf(server.id, volume)).toMatch(/^\/dev\/loop/);
    for (const size of [2, 3]) {
      expect((await cloud.extend(volume, size)).status).toBe(202);
      const seen = await server.guest.waitForSize(volume, bytes(size * GIB));
      expect(seen.name).toMatch(/^sd/);
      await cloud.untilVolume(volume, 'in-use', size);
    }
    expect(await cloud.extendsOf(server.id, 2)).toMatchObject([SUCCESS, SUCCESS]);
  }, 60_000);
});
