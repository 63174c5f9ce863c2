import type { StuckReason } from '@novella/persistence';
import type { Environment } from '@novella/service-kit';
import { type Finding, table } from './command.js';
import { withStore } from './database.js';

/** What each reason says of a row. All but `not-taken-up` are faults of ours. */
const SAYS = {
  'no-next-step': 'nothing would ever take it up again',
  'not-taken-up': 'it is due, and no conductor has come: is one running, with this database?',
  'end-not-recorded': 'its state and its end say different things',
  'task-without-operation': 'the server has a task that nobody carries out',
  'reservation-without-operation': 'the volume is reserved, and nobody attaches or releases it',
  'action-without-end': 'its operation has ended, and the user is not told',
} as const satisfies Record<StuckReason, string>;

export async function listStuck(env: Environment | undefined): Promise<Finding> {
  const found = await withStore(env, (store) => store.stuck());
  const rows = found.map(({ what, id, serverId, reason, since }) => [
    what,
    id,
    serverId,
    since.toISOString(),
    `${reason}: ${SAYS[reason]}`,
  ]);
  const text = rows.length === 0 ? 'nothing is stuck' : table(['WHAT', 'ID', 'SERVER', 'SINCE', 'WHY'], rows);
  return { text, json: found, isBad: rows.length > 0 };
}
