import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { type CinderClient, createCinderClient, noAuth } from '@novella/cinder';
import type { ProjectId, RequestId, VolumeId } from '@novella/core';
import { fault, type ScriptedPeer, startScriptedPeer } from '@novella/testing';
import { cinderVolumeApi } from './cinder-volume-api.js';
import type { VolumeUser } from './volume-api.js';

const VOLUME = '99999999-8888-4777-8666-555555555555' as VolumeId;
const OWN = 'req-00000000-1111-4222-8333-444444444444' as RequestId;
const GLOBAL = 'req-11111111-2222-4333-8444-555555555555' as RequestId;
const ALICE: VolumeUser = {
  token: 'alice-token',
  projectId: 'p1' as ProjectId,
  requestId: OWN,
  globalRequestId: null,
};
const NOT_THERE = fault(404, 'itemNotFound', `Volume ${VOLUME} could not be found.`);

let peer: ScriptedPeer;
let cinder: CinderClient;
beforeEach(async () => {
  peer = await startScriptedPeer();
  const log = { debug: ignore, info: ignore, warn: ignore, error: ignore };
  cinder = createCinderClient({ endpoint: peer.endpoint, auth: noAuth('nobody', 'none' as ProjectId), log });
});
afterEach(async () => {
  await cinder.close();
  await peer.close();
});
const ignore = () => undefined;

const shown = () =>
  peer.requests.map(({ path, headers }) => ({
    path,
    token: headers['x-auth-token'],
    service: headers['x-service-token'],
    requestId: headers['x-openstack-request-id'],
  }));

it.each([
  [null, OWN],
  [GLOBAL, GLOBAL],
])('asks as the user, and with the global request id %s says %s', async (globalRequestId, requestId) => {
  peer.script(NOT_THERE);
  const asked = cinderVolumeApi(cinder, null).volume(VOLUME, { ...ALICE, globalRequestId });
  await expect(asked).rejects.toMatchObject({ code: 'volume-not-found' });
  expect(shown()).toEqual([{ path: `/v3/p1/volumes/${VOLUME}`, token: 'alice-token', service: undefined, requestId }]);
});

it('asks nothing for a user without a project, who gets a 403', async () => {
  const asked = cinderVolumeApi(cinder, null).volume(VOLUME, { ...ALICE, projectId: null });
  await expect(asked).rejects.toMatchObject({ status: 403 });
  expect(shown()).toEqual([]);
});

describe('with Keystone', () => {
  const token = (id: string) => ({ id, projectId: 'service' as ProjectId, catalog: [] });
  const own = {
    ownToken: () => Promise.resolve(token('own-1')),
    renewedToken: (refused: string) => Promise.resolve(token(refused === 'own-1' ? 'own-2' : 'wrong')),
  };

  it('shows our own token beside the user’s, and another when Cinder takes neither', async () => {
    peer.script(fault(401, 'unauthorized', 'No.'), NOT_THERE);
    const asked = cinderVolumeApi(cinder, own).volume(VOLUME, ALICE);
    await expect(asked).rejects.toMatchObject({ code: 'volume-not-found' });
    expect(shown().map(({ path, token, service }) => [path, token, service])).toEqual([
      [`/v3/p1/volumes/${VOLUME}`, 'alice-token', 'own-1'],
      [`/v3/p1/volumes/${VOLUME}`, 'alice-token', 'own-2'],
    ]);
  });
});
