import type { Random } from '@novella/core';
import { encodeRequest, FRAME_PROPERTIES, type RpcRequest } from './envelope.js';
import type { Frame } from './link.js';
import type { Route } from './topology.js';

/** Of no contract: a server of ours takes it for every topic, and one of oslo.messaging logs that it has no such method. */
const PROBE_METHOD = 'novella_probe';

/** A cast without arguments, as any other on the wire. */
export function probeFrame(route: Route, random: Random): Frame {
  const body = encodeRequest({
    method: PROBE_METHOD,
    args: {},
    version: '1.0',
    namespace: null,
    uniqueId: random.uuid().replaceAll('-', ''),
    context: { requestId: null, userId: null, projectId: null },
    reply: null,
  });
  return { ...route, ...FRAME_PROPERTIES, body };
}

export const isProbe = ({ method, namespace }: RpcRequest): boolean => method === PROBE_METHOD && namespace === null;
