import type { HostName, ServerId } from '@novella/core';
import type { Capacity, Operation } from '../records.js';
import type { Tables } from './tables.js';

export function place(
  db: Tables,
  operation: Operation,
  serverId: ServerId,
  host: HostName,
  need: Capacity,
): 'placed' | 'no-room' | 'raced' {
  const server = db.instances.get(serverId);
  const placeable =
    server !== undefined &&
    server.vmState === 'building' &&
    server.taskState !== 'deleting' &&
    server.host === null &&
    server.deletedAt === null &&
    db.operations.get(operation.id)?.version === operation.version;
  if (!placeable) return 'raced';
  const service = db.service(host, 'nova-compute');
  if (service === null || service.disabled || service.forcedDown) return 'no-room';
  const fits = (part: keyof Capacity) => service.used[part] + need[part] <= service.capacity[part];
  if (!fits('vcpus') || !fits('memoryMib') || !fits('diskGib')) return 'no-room';
  db.instances.set(serverId, {
    ...server,
    host,
    generation: server.generation + 1,
    taskState: 'spawning',
    placed: need,
    updatedAt: db.now(),
  });
  return 'placed';
}
