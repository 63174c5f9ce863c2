import type { ApiStore } from '../api-store.js';
import type { Database } from './database.js';
import { ENDED_BY_REBOOT, SERVER_REBOOTED } from '../transition-facts.js';
import { endUnstarted } from './end-unstarted.js';
import { joinOrOpenOperation } from './new-operation.js';
import { lockedServer } from './reservations.js';

type Input = Parameters<ApiStore['requestPower']>[0];
type Power = Awaited<ReturnType<ApiStore['requestPower']>>;

/** The server's row lock makes reading and setting the task state one step: of two requests one finds the other's task. */
export function requestPower(db: Database, input: Input): Promise<Power> {
  const { serverId, kind, request, from, requester } = input;
  return db.transaction(async (session): Promise<Power> => {
    const server = await lockedServer(session, serverId);
    if (server === null) return { kind: 'server-not-found' };
    const { vm_state: vmState, task_state: taskState } = server;
    const allowed = from.vmStates.includes(vmState) && from.taskStates.includes(taskState);
    if (!allowed) return { kind: 'wrong-state', vmState, taskState };
    if (server.host === null) return { kind: 'no-host' };
    await session.query(`update instance set task_state = $2, updated_at = now() where id = $1`, [
      serverId,
      input.taskState,
    ]);
    const volumeId = null;
    if (kind === 'reboot') {
      await endUnstarted(session, { serverId, volumeId, kinds: ENDED_BY_REBOOT, error: SERVER_REBOOTED });
    }
    await joinOrOpenOperation(session, {
      kind,
      serverId,
      volumeId,
      initiator: 'user',
      request,
      confirmWithin: null,
      requester,
    });
    return { kind: 'accepted' };
  });
}
