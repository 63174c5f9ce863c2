import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { stat } from 'node:fs/promises';
import { gib, type ServerId } from '@novella/core';
import { SERVER, waitUntil } from '@novella/testing';
import { GrowingCluster } from '../races/growing-cluster.js';

let cluster: GrowingCluster;
beforeEach(async () => {
  cluster = await GrowingCluster.start();
});
afterEach(async () => {
  await cluster.stop();
});

const sawAtEnd = async (id: ServerId) => (await cluster.store.blockDeviceMappings([id])).get(id)?.[0]?.guestBytes;

describe('a guest that was off while its volume grew', () => {
  it('ends the extend by what the host has, and is read back when it starts', async () => {
    await cluster.setPower('shutdown');
    expect(await cluster.resultOf(await cluster.extend(gib(2)))).toBe('Success');
    expect((await stat(cluster.path)).size).toBe(2 * 2 ** 30);
    expect(await sawAtEnd(SERVER)).toBeNull();

    await cluster.setPower('running');
    await waitUntil(async () => (await sawAtEnd(SERVER)) === 2 * 2 ** 30, { what: 'the size to be read back' });
    const [operation] = await cluster.store.operations({ serverId: SERVER, limit: 1 });
    expect(operation).toMatchObject({ kind: 'extend', initiator: 'system' });
  });
});
