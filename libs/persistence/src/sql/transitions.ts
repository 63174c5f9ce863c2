import type { Millis } from '@novella/core';
import type { Operation } from '../records.js';
import type { EngineStore, RecordChanges } from '../engine-store.js';
import { eventDetails, eventName, isRefusal } from '../transition-facts.js';
import { INSTANCE_CHANGE, instanceChange, MAPPING_CHANGES, mappingChanges } from './changes.js';
import { failedMessage, waitingMessage } from '../action-messages.js';
import type { Database } from './database.js';
import type { OperationRow } from './entities/operation.entity.js';
import { violates } from './failures.js';
import { appendedTimeline, fromNow, OPEN, RELEASED, UNSYNCED } from './operation-sql.js';
import { toOperation } from './rows.js';

type Input<Method extends 'dispatch' | 'advance' | 'wait' | 'end'> = Parameters<EngineStore[Method]>[1];
type Verdict = 'refused' | 'cleared' | null;

/**
 * One transition, one statement: the operation first (compare-and-set on its version and decidedSeq), then what hangs on it. The
 * server's row is locked before the operation's wherever the statement changes the server, in the order of all others.
 */
class Transition {
  readonly #values: unknown[];
  readonly #parts: string[] = [];
  #locksServer = false;

  constructor(readonly operation: Operation) {
    this.#values = [operation.id, operation.version, operation.serverId, operation.decidedSeq];
  }

  add(value: unknown): string {
    this.#values.push(value);
    return `$${this.#values.length}`;
  }

  part(sql: string): void {
    this.#parts.push(sql);
  }

  lockServer(): void {
    this.#locksServer = true;
  }

  changes(changes: RecordChanges | undefined, verdict: Verdict = null, keepsTask = 'false'): void {
    if (changes?.instance !== undefined) {
      this.lockServer();
      this.part(INSTANCE_CHANGE(this.add(instanceChange(changes.instance)), keepsTask));
    }
    const mappings = changes?.mappings ?? [];
    if (mappings.length === 0 && verdict === null) return;
    this.part(MAPPING_CHANGES(this.add(mappingChanges(mappings)), this.add(verdict)));
  }

  /** `assignments` to the operation `o`; `guard` is a further condition. null when raced. */
  async run(db: Database, assignments: string, guard = OPEN): Promise<Operation | null> {
    const server = this.#locksServer
      ? `server as materialized (select id from instance where id = $3 for no key update),`
      : `server as materialized (select $3::uuid as id),`;
    const changed = `
      changed as (
        update operation o set version = o.version + 1, ${assignments}
        from server where o.id = $1 and o.version = $2 and o.decided_seq = $4 and o.server_id = server.id and ${guard}
        returning o.*
      )`;
    const text = `with ${server} ${[changed, ...this.#parts].join(',')} select * from changed`;
    const [row] = await db.query<OperationRow>(text, this.#values);
    return row === undefined ? null : toOperation(row);
  }
}

export async function dispatch(
  db: Database,
  operation: Operation,
  input: Input<'dispatch'>,
): Promise<Operation | 'excluded' | null> {
  const transition = new Transition(operation);
  const host = transition.add(input.host);
  const step = transition.add(input.step);
  const generation = transition.add(input.generation);
  const deadlineIn = transition.add(input.deadlineIn);
  const event = transition.add(eventName(operation.kind));
  transition.part(`
    begun as (
      update instance_action a set updated_at = now(), message = null from changed
      where a.operation_id = changed.id and a.seq <= changed.decided_seq and a.finished_at is null
      returning a.id
    ), events_begun as (
      insert into instance_action_event (action_id, event, host) select id, ${event}, ${host} from begun
      on conflict (action_id, event) do update set host = excluded.host
    )`);
  transition.changes(input.changes);
  try {
    return await transition.run(
      db,
      `${RELEASED.replace('deadline = null', `deadline = ${fromNow(deadlineIn)}`)},
       state = 'dispatched', attempt = o.attempt + 1, fence = nextval('operation_fence'), attempt_seq = o.decided_seq,
       host = ${host}, step = ${step}, generation = ${generation}, sent_at = null,
       timeline = ${appendedTimeline('o', `'dispatched'`, `coalesce(${step}::text, ${host}::text)`)}`,
    );
  } catch (error) {
    const taken = ['operation_one_dispatched', 'operation_one_extend_dispatched'];
    if (taken.some((index) => violates(error, index))) return 'excluded';
    throw error;
  }
}

export async function markSent(db: Database, operation: Operation): Promise<void> {
  await db.query(
    `update operation set sent_at = now() from ${UNSYNCED} where id = $1 and version = $2 and state = 'dispatched'`,
    [operation.id, operation.version],
  );
}

export function undoDispatch(db: Database, operation: Operation, nextIn: Millis): Promise<Operation | null> {
  const transition = new Transition(operation);
  const next = transition.add(nextIn);
  transition.part(tellWaiting(transition, waitingMessage('host', null)));
  return transition.run(
    db,
    `state = 'waiting', waiting_for = 'host', next_at = ${fromNow(next)}, attempt = o.attempt - 1, fence = null,
     sent_at = null, deadline = null, claimed_by = null, lease_until = null,
     timeline = ${appendedTimeline('o', `'waiting'`, `'host'`)}`,
    `o.state = 'dispatched'`,
  );
}

export function advance(db: Database, operation: Operation, input: Input<'advance'>): Promise<Operation | null> {
  const transition = new Transition(operation);
  const step = transition.add(input.step);
  const lease = transition.add(input.lease);
  const error = errorAssignment(transition, input.error);
  transition.changes(input.changes);
  return transition.run(
    db,
    `state = 'queued', waiting_for = null, next_at = null, deadline = null, step = ${step},
     lease_until = ${fromNow(lease)}, timeline = ${appendedTimeline('o', `'queued'`, `${step}::text`)} ${error}`,
  );
}

/** undefined leaves the column as it is. */
function errorAssignment(transition: Transition, error: Input<'advance'>['error']): string {
  if (error === undefined) return '';
  return `, error = ${transition.add(error === null ? null : JSON.stringify(error))}::jsonb`;
}

const tellWaiting = (transition: Transition, text: string): string => {
  const message = transition.add(text);
  return `
    told as (
      update instance_action a set message = ${message}::text, updated_at = now() from changed
      where changed.state = 'waiting' and a.operation_id = changed.id and a.finished_at is null
        and a.message is distinct from ${message}::text
    )`;
};

/** A request that came while the facts were read is not made to wait: it queues the operation again at once. */
const MORE = `o.requested_seq > o.decided_seq`;

export function wait(db: Database, operation: Operation, input: Input<'wait'>): Promise<Operation | null> {
  const transition = new Transition(operation);
  const waitingFor = transition.add(input.for);
  const nextIn = transition.add(input.nextIn);
  const failed = transition.add(input.failed === undefined || input.failed === false ? 0 : 1);
  const before = input.failed === 'first' ? '0' : 'o.failures';
  const note = transition.add(input.error?.code ?? input.for);
  const step = input.step === undefined ? '' : `, step = ${transition.add(input.step)}`;
  const error = errorAssignment(transition, input.error);
  transition.part(tellWaiting(transition, waitingMessage(input.for, input.error?.code ?? null)));
  return transition.run(
    db,
    `state = case when ${MORE} then 'queued' else 'waiting' end,
     waiting_for = case when ${MORE} then null else ${waitingFor}::text end,
     next_at = case when ${MORE} then null else ${fromNow(nextIn)} end,
     failures = case when ${MORE} then 0 else ${before} + ${failed}::integer end,
     deadline = null, claimed_by = null, lease_until = null,
     timeline = ${appendedTimeline('o', `case when ${MORE} then 'queued' else 'waiting' end`, `case when ${MORE} then 'requested' else ${note}::text end`)}
     ${step} ${error}`,
  );
}

export function end(db: Database, operation: Operation, input: Input<'end'>): Promise<Operation | null> {
  const transition = new Transition(operation);
  const failure = input.result === 'failed' ? input.error : null;
  const result = transition.add(input.result);
  const note = transition.add(failure?.code ?? input.result);
  const error = transition.add(failure === null ? null : JSON.stringify(failure));
  const verifiedBy = transition.add(input.result === 'succeeded' ? (input.verifiedBy ?? null) : null);
  const visible = transition.add(input.result === 'succeeded' ? (input.visible ?? null) : null);
  transition.lockServer();
  transition.part(finishActions(transition, failure));
  transition.part(WAKE_TASK_WAITERS);
  const verdict = failure !== null && isRefusal(failure) ? 'refused' : 'cleared';
  // What is left to do still is the server's task.
  transition.changes(input.changes, operation.kind === 'extend' ? verdict : null, `changed.ended_at is null`);
  return transition.run(
    db,
    `${RELEASED},
     state = case when ${MORE} then 'queued' else ${result}::text end,
     step = case when ${MORE} then null else o.step end,
     error = case when ${MORE} then null else ${error}::jsonb end,
     failures = case when ${MORE} or ${error}::jsonb is null then 0 else o.failures end,
     verified_by = case when ${MORE} then o.verified_by else ${verifiedBy}::text end,
     visible = case when ${MORE} then o.visible else ${visible}::text end,
     ended_at = case when ${MORE} then null else now() end,
     timeline = ${appendedTimeline('o', `case when ${MORE} then 'queued' else ${result}::text end`, `${note}::text`)}`,
  );
}

function finishActions(transition: Transition, failure: Extract<Input<'end'>, { result: 'failed' }>['error'] | null) {
  const event = transition.add(eventName(transition.operation.kind));
  const details = transition.add(failure === null ? null : eventDetails(failure));
  const message = transition.add(failure === null ? null : failedMessage(failure));
  return `
    finished as (
      update instance_action a set finished_at = now(), updated_at = now(),
        message = ${message}::text
      from changed
      where a.operation_id = changed.id and a.seq <= changed.decided_seq and a.finished_at is null
      returning a.id, changed.host
    ), events_finished as (
      insert into instance_action_event (action_id, event, host, finish_time, result, details)
      select id, ${event}, host, now(), case when ${details}::text is null then 'Success' else 'Error' end,
        ${details}::text
      from finished
      on conflict (action_id, event) do update
        set finish_time = excluded.finish_time, result = excluded.result, details = excluded.details
    )`;
}

/** One that is locked at this moment moves by itself; waiting for it could be a circle. */
const WAKE_TASK_WAITERS = `
  woken as (
    update operation w set next_at = now()
    where exists (select from changed) and w.state = 'waiting' and w.id in (
      select id from operation
      where (server_id = $3 or volume_id = (select volume_id from operation where id = $1))
        and id <> $1 and state = 'waiting' and waiting_for in ('server-task', 'guest-start')
      for no key update skip locked)
  )`;
