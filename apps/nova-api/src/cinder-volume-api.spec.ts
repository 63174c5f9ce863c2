import { createServer, type Server } from 'node:http';
import { once } from 'node:events';
import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { type CinderClient, createCinderClient } from '@novella/cinder';
import type { ProjectId, RequestId, VolumeId } from '@novella/core';
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

let peer: Server;
let cinder: CinderClient;
let seen: { url: string | undefined; token: unknown; requestId: unknown }[];
beforeEach(async () => {
  seen = [];
  peer = createServer(({ url, headers }, response) => {
    seen.push({ url, token: headers['x-auth-token'], requestId: headers['x-openstack-request-id'] });
    response.writeHead(404, { 'content-type': 'application/json' });
    response.end(JSON.stringify({ itemNotFound: { code: 404, message: `Volume ${VOLUME} could not be found.` } }));
  }).listen(0, '127.0.0.1');
  await once(peer, 'listening');
  const { port } = peer.address() as { port: number };
  const log = { debug: ignore, info: ignore, warn: ignore, error: ignore };
  const project = 'service' as ProjectId;
  cinder = createCinderClient({
    endpoint: `http://127.0.0.1:${port}/v3`,
    project,
    auth: () => Promise.resolve({}),
    log,
  });
});
afterEach(async () => {
  await cinder.close();
  peer.close();
  await once(peer, 'close');
});
const ignore = () => undefined;

it.each([
  [null, OWN],
  [GLOBAL, GLOBAL],
])('asks as the user, and with the global request id %s says %s', async (globalRequestId, requestId) => {
  const asked = cinderVolumeApi(cinder).volume(VOLUME, { ...ALICE, globalRequestId });
  await expect(asked).rejects.toMatchObject({ code: 'volume-not-found' });
  expect(seen).toEqual([{ url: `/v3/p1/volumes/${VOLUME}`, token: 'alice-token', requestId }]);
});
