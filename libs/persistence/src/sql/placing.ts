import type { HostName, ServerId } from '@novella/core';
import type { Capacity, Operation } from '../records.js';
import type { Database } from './database.js';
import type { ServiceRow } from './entities/service.entity.js';
import { usedOn } from './hosts.js';
import { lockedServer } from './reservations.js';

/**
 * Servers that are placed on one host at the same time queue up at its service's row; what is used is read in a
 * statement after that lock, so it counts those that came before.
 */
export function place(
  db: Database,
  operation: Operation,
  serverId: ServerId,
  host: HostName,
  need: Capacity,
): Promise<'placed' | 'no-room' | 'raced'> {
  return db.transaction(async (session) => {
    const server = await lockedServer(session, serverId);
    const placeable = server?.vm_state === 'building' && server.task_state !== 'deleting' && server.host === null;
    const unchanged = await session.query(`select from operation where id = $1 and version = $2 for share`, [
      operation.id,
      operation.version,
    ]);
    if (!placeable || unchanged.length === 0) return 'raced';
    const services = await session.query<ServiceRow>(
      `select * from service where "binary" = 'nova-compute' and host = $1 for no key update`,
      [host],
    );
    const service = services[0];
    if (service === undefined || service.disabled || service.forced_down) return 'no-room';
    const used = (await session.query<{ used: Capacity }>(`select ${usedOn('$1')} as used`, [host]))[0]?.used;
    const fits = (part: keyof Capacity) => used !== undefined && used[part] + need[part] <= service.capacity[part];
    if (!fits('vcpus') || !fits('memoryMib') || !fits('diskGib')) return 'no-room';
    await session.query(PLACE, [serverId, host, need.vcpus, need.memoryMib, need.diskGib]);
    return 'placed';
  });
}

const PLACE = `
  update instance set host = $2, generation = generation + 1, task_state = 'spawning', placed_vcpus = $3,
    placed_memory_mib = $4, placed_disk_gib = $5, updated_at = now()
  where id = $1`;
