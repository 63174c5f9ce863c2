import { millis, type Millis } from '@novella/core';
import type { Operation } from '../records.js';
import type { EngineStore } from '../engine-store.js';
import { storable, storableText } from '../text.js';
import { ENDED_LISTED_MS } from '../transition-facts.js';
import { claimDue, claimForResult, claimOne } from './claims.js';
import type { Database } from './database.js';
import { OperationRow } from './entities/operation.entity.js';
import { operationFacts } from './facts.js';
import { fromNow, OPEN } from './operation-sql.js';
import { place } from './placing.js';
import { attachedVolumes, openSystemExtend } from './reconcile.js';
import { toOperation } from './rows.js';
import { advance, dispatch, end, markSent, undoDispatch, wait } from './transitions.js';

export function sqlEngine(db: Database): EngineStore {
  return {
    claimDue: (by, lease, limit) => claimDue(db, by, lease, limit),
    claimOne: (id, by, lease) => claimOne(db, id, by, lease),
    claimForResult: (answer, by, lease) => claimForResult(db, answer, by, lease),
    nextDueIn: () => nextDueIn(db),
    operationFacts: (operation) => operationFacts(db, operation),
    dispatch: (operation, input) => dispatch(db, operation, storable(input)),
    markSent: (operation) => markSent(db, operation),
    undoDispatch: (operation, nextIn) => undoDispatch(db, operation, nextIn),
    advance: (operation, input) => advance(db, operation, storable(input)),
    wait: (operation, input) => wait(db, operation, storable(input)),
    end: (operation, input) => end(db, operation, storable(input)),
    place: (operation, serverId, host, need) => place(db, operation, serverId, host, need),
    wake: (what) => wake(db, what),
    takeOver: (from) => takeOver(db, from),
    openSystemExtend: (input) => openSystemExtend(db, storable(input)),
    attachedVolumes: (after, limit, onHost = null) => attachedVolumes(db, after, limit, onHost),
    exclusively: (name, work) => exclusively(db, storableText(name), work),
    operation: async (id) => {
      const row = await db.entities((manager) => manager.findOneBy(OperationRow, { id }));
      return row === null ? null : toOperation(row);
    },
    operations: (filter) => operations(db, filter),
  };
}

async function nextDueIn(db: Database): Promise<Millis | null> {
  const rows = await db.query<{ ms: number }>(
    `select greatest(0, extract(epoch from due_at - now()) * 1000)::double precision as ms
     from operation where ${OPEN} order by due_at limit 1`,
  );
  return rows[0] === undefined ? null : millis(Math.ceil(rows[0].ms));
}

/** In the order in which all statements lock several operations; those that move at this moment move by themselves. */
async function wake(db: Database, what: Parameters<EngineStore['wake']>[0]): Promise<number> {
  const host = what.for === 'host' ? what.host : null;
  const rows = await db.query(
    `with waiting as (
       select o.id from operation o join instance i on i.id = o.server_id
       where ${OPEN} and o.state = 'waiting' and o.waiting_for = $1
         and ($2::text is null or coalesce(i.host, o.host, $2) = $2)
       order by o.server_id, o.volume_id, o.kind
       for no key update of o
     )
     update operation o set next_at = now() from waiting where o.id = waiting.id and o.state = 'waiting' returning o.id`,
    [what.for, host],
  );
  return rows.length;
}

/** Locked in the same order as above. */
async function takeOver(db: Database, from: Parameters<EngineStore['takeOver']>[0]): Promise<number> {
  const rows =
    'host' in from
      ? await db.query(takenOver(`state = 'dispatched' and host = $1`, 'deadline = now()'), [from.host])
      : await db.query(
          takenOver('claimed_by = $1 and lease_until is not null and id <> all ($2::uuid[])', 'lease_until = null'),
          [from.claimedBy, from.except ?? []],
        );
  return rows.length;
}

const takenOver = (which: string, change: string): string => `
  with taken as (
    select id from operation where ${OPEN} and ${which}
    order by server_id, volume_id, kind
    for no key update
  )
  update operation o set ${change} from taken where o.id = taken.id returning o.id`;

/** Any number that no other user of the database locks; the second key is made of the name. */
const EXCLUSIVE_CLASS = 4_716_002;

/** A session lock: Postgres lets go of it when the process or its connection dies. */
function exclusively(db: Database, name: string, work: () => Promise<void>): Promise<boolean> {
  return db.connection(async (session) => {
    const key = [EXCLUSIVE_CLASS, name];
    const rows = await session.query<{ mine: boolean }>(`select pg_try_advisory_lock($1, hashtext($2)) as mine`, key);
    if (rows[0]?.mine !== true) return false;
    try {
      await work();
    } finally {
      await session.query(`select pg_advisory_unlock($1, hashtext($2))`, key);
    }
    return true;
  });
}

async function operations(db: Database, filter: Parameters<EngineStore['operations']>[0]): Promise<Operation[]> {
  const rows = await db.query<OperationRow>(
    `select * from operation
     where ($1::uuid is null or server_id = $1)
       and ($2::boolean is null or (ended_at is null) = $2)
       and (ended_at is null or ended_at > ${fromNow('$3')})
     order by created_at desc, id desc limit $4`,
    [filter.serverId ?? null, filter.open ?? null, -ENDED_LISTED_MS, filter.limit],
  );
  return rows.map(toOperation);
}
