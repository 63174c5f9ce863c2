import { assertNever, type HostName, parseServerId, type ServerId } from '@novella/core';
import type { PostedEvent } from '@novella/persistence';
import type { EventName, ExternalEvent } from './external-events.dto.js';

/**
 * The code of each event and what it asks of the engine, from the servers' places alone.
 * Mirrors nova:nova/api/openstack/compute/server_external_events.py; differs as design 4 says.
 */
export type KnownServers = ReadonlyMap<ServerId, { readonly host: HostName | null }>;

type EventCode = 200 | 400 | 404 | 422;

const TAG_REQUIRED: Readonly<Record<EventName, boolean>> = {
  'network-changed': false,
  'network-vif-plugged': false,
  'network-vif-unplugged': false,
  'network-vif-deleted': false,
  'volume-extended': true,
  'power-update': true,
  'accelerator-request-bound': true,
  'volume-reimaged': false,
};

export function decideEvent(event: ExternalEvent, servers: KnownServers): PostedEvent {
  const serverId = parseServerId(event.server_uuid);
  const code = codeOf(event, serverId === null ? undefined : servers.get(serverId));
  return {
    name: event.name,
    serverId: event.server_uuid,
    status: event.status ?? 'completed',
    tag: event.tag ?? null,
    code,
    operation: code === 200 && serverId !== null ? operationOf(event, serverId) : null,
  };
}

/** First match wins: unknown server, missing tag, no host. */
function codeOf(event: ExternalEvent, server: { host: HostName | null } | undefined): EventCode {
  if (server === undefined) return 404;
  if (event.tag === undefined && TAG_REQUIRED[event.name]) return 400;
  return server.host === null ? 422 : 200;
}

function operationOf(event: ExternalEvent, serverId: ServerId): PostedEvent['operation'] {
  switch (event.name) {
    case 'volume-extended':
      return { kind: 'extend', serverId, volumeTag: event.tag ?? '' };
    case 'power-update':
      // Another tag is answered 200 and dropped, as Nova does.
      return event.tag === 'POWER_ON' || event.tag === 'POWER_OFF'
        ? { kind: 'power-update', serverId, target: event.tag }
        : null;
    case 'network-changed':
    case 'network-vif-plugged':
    case 'network-vif-unplugged':
    case 'network-vif-deleted':
    case 'accelerator-request-bound':
    case 'volume-reimaged':
      return null;
    default:
      return assertNever(event.name);
  }
}

/** 207 as soon as one event failed; 404 when each one's server is unknown. */
export function responseStatus(codes: readonly EventCode[]): 200 | 207 | 404 {
  if (codes.every((code) => code === 200)) return 200;
  return codes.every((code) => code === 404) ? 404 : 207;
}
