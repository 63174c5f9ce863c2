import type { ServerId, VolumeId } from '@novella/core';
import type { Requester } from '../requester.js';
import type { ApiStore } from '../api-store.js';
import { detachRefusal, VOLUME_DETACHED } from '../transition-facts.js';
import type { Database } from './database.js';
import { endUnstarted } from './end-unstarted.js';
import type { BlockDeviceMappingRow } from './entities/block-device-mapping.entity.js';
import { openOperation } from './new-operation.js';
import { lockedServer } from './reservations.js';
import { toMapping } from './rows.js';

type Detach = Awaited<ReturnType<ApiStore['requestDetach']>>;

/** Under the server's lock, like an attach and a delete: what is read here stays so until the detach is written. */
export function requestDetach(
  db: Database,
  { serverId, volumeId, requester }: { serverId: ServerId; volumeId: VolumeId; requester: Requester },
): Promise<Detach> {
  return db.transaction(async (session): Promise<Detach> => {
    const server = await lockedServer(session, serverId);
    if (server === null) return { kind: 'server-not-found' };
    const [mapping] = await session.query<BlockDeviceMappingRow>(
      `select * from block_device_mapping where server_id = $1 and volume_id = $2`,
      [serverId, volumeId],
    );
    const facts = { vmState: server.vm_state, taskState: server.task_state };
    const refusal = detachRefusal(facts, mapping === undefined ? undefined : toMapping(mapping));
    if (refusal !== null) return { kind: refusal };
    const operation = await openOperation(session, {
      kind: 'detach',
      serverId,
      volumeId,
      initiator: 'user',
      request: {},
      confirmWithin: null,
      requester,
    });
    if (operation === null) return { kind: 'already-detaching' };
    await endUnstarted(session, { serverId, volumeId, kinds: ['extend'], error: VOLUME_DETACHED });
    return { kind: 'accepted', operation };
  });
}
