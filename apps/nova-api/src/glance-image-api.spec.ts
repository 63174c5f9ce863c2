import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, it } from '@jest/globals';
import type { RequestId } from '@novella/core';
import { createGlanceClient } from '@novella/glance';
import { glanceImageApi } from './glance-image-api.js';

const IMAGE = '99999999-8888-4777-8666-555555555555';
const OWN = 'req-00000000-1111-4222-8333-444444444444' as RequestId;
const GLOBAL = 'req-11111111-2222-4333-8444-555555555555' as RequestId;

it.each([
  [null, OWN],
  [GLOBAL, GLOBAL],
])('asks as the user, and with the global request id %s says %s', async (globalRequestId, requestId) => {
  const seen: unknown[] = [];
  const peer = createServer(({ url, headers }, response) => {
    seen.push({ url, token: headers['x-auth-token'], requestId: headers['x-openstack-request-id'] });
    response.writeHead(404).end(`No image found with ID ${IMAGE}`);
  }).listen(0, '127.0.0.1');
  await once(peer, 'listening');
  const glance = createGlanceClient({
    endpoint: `http://127.0.0.1:${(peer.address() as AddressInfo).port}`,
    auth: () => Promise.reject(new Error('nova-api has no credentials of its own')),
    log: { debug() {}, info() {}, warn() {}, error() {} },
  });
  const user = { token: 'alice-token', requestId: OWN, globalRequestId };
  expect(await glanceImageApi(glance).image(IMAGE, user)).toBeNull();
  expect(seen).toEqual([{ url: `/v2/images/${IMAGE}`, token: 'alice-token', requestId }]);
  await glance.close();
  peer.close();
});
