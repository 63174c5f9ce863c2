import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { setTimeout as sleep } from 'node:timers/promises';
import { bytes, type ServerId, type VolumeId } from '@novella/core';
import { type NovaRecorder, startNovaRecorder } from '../openstack/nova-recorder.js';
import { Cloud, developmentCinder } from './cloud.js';
import { KillableNovella } from './killable-novella.js';

const GIB = 2 ** 30;

describe('an event that was answered 200', () => {
  const processes: KillableNovella[] = [];
  let recorder: NovaRecorder;
  let cloud: Cloud;
  let server: Awaited<ReturnType<Cloud['server']>>;
  let volume: VolumeId;

  beforeAll(async () => {
    recorder = await startNovaRecorder();
    cloud = await Cloud.start(developmentCinder({ eventsTo: recorder.endpoint }), async (config, { socketPath }) => {
      const novella = new KillableNovella(config, socketPath);
      processes.push(novella);
      await novella.start();
      return novella;
    });
    server = await cloud.server(cloud.images.imageId);
    volume = await cloud.attachedVolume(server);
  }, 180_000);
  afterAll(async () => {
    await cloud.stop();
    await recorder.close();
  }, 60_000);

  it('is carried out although the process is killed at once, or while it works (rule 3.1a)', async () => {
    const [novella] = processes;
    const delays = [0, 15, 30, 60];
    for (const [nth, delay] of delays.entries()) {
      const size = nth + 2;
      await cloud.grow(volume, size);
      const events = [cloud.event(server.id, volume)];
      expect(await cloud.nova('POST', '/os-server-external-events', { events })).toMatchObject({ status: 200 });
      await sleep(delay);
      await novella!.kill();
      await novella!.start();
      await server.guest.waitForSize(volume, bytes(size * GIB));
      const extends_ = await cloud.extendsOf(server.id, nth + 1);
      expect(extends_.map(({ message, events: ended }) => [message, ended.map(({ result }) => result)])).toEqual(
        extends_.map(() => [null, ['Success']]),
      );
    }
    const guest = await cloud.hypervisor.guest(server.id as ServerId);
    expect(guest).toMatchObject({ powerState: 'running', disks: [{ volume, guestBytes: (delays.length + 1) * GIB }] });
  }, 240_000);
});
