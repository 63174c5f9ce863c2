import type { ServerId, VolumeId } from '@novella/core';
import type { Requester } from '../requester.js';
import { ENDED_BY_DELETE, SERVER_DELETED } from '../transition-facts.js';
import type { Database, Session } from './database.js';
import { endUnstarted } from './end-unstarted.js';
import { openOperation } from './new-operation.js';
import { OPEN } from './operation-sql.js';
import { lockedServer } from './reservations.js';

export function requestDelete(
  db: Database,
  serverId: ServerId,
  requester: Requester,
): Promise<'accepted' | 'already-deleting' | 'server-not-found'> {
  return db.transaction(async (session) => {
    const server = await lockedServer(session, serverId);
    if (server === null) return 'server-not-found';
    const operation = await openOperation(session, {
      kind: 'delete',
      serverId,
      volumeId: null,
      initiator: 'user',
      request: {},
      confirmWithin: null,
      requester,
    });
    if (operation === null) return 'already-deleting';
    await session.query(`update instance set task_state = 'deleting', updated_at = now() where id = $1`, [serverId]);
    const detaching = await session.query<{ volume_id: VolumeId }>(DETACHING, [serverId]);
    await endUnstarted(session, { serverId, volumeId: null, kinds: ENDED_BY_DELETE, error: SERVER_DELETED });
    await keepVolumes(
      session,
      serverId,
      detaching.map((row) => row.volume_id),
    );
    return 'accepted';
  });
}

const DETACHING = `select volume_id from operation where server_id = $1 and kind = 'detach' and ${OPEN}`;

/** Who had asked to detach a volume before the delete does not want it deleted with the server. */
async function keepVolumes(session: Session, serverId: ServerId, volumes: readonly VolumeId[]): Promise<void> {
  if (volumes.length === 0) return;
  await session.query(
    `update block_device_mapping set delete_on_termination = false
     where server_id = $1 and volume_id = any($2::uuid[])`,
    [serverId, volumes],
  );
}
