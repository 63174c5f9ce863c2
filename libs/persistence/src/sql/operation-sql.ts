import { TIMELINE_LIMIT } from '../transition-facts.js';

/** Pieces of SQL on the operation table that several statements and the migrations share. */
export const ZERO_UUID = `'00000000-0000-0000-0000-000000000000'::uuid`;
export const VOLUME_KEY = `coalesce(volume_id, ${ZERO_UUID})`;

/** The predicate of the partial indexes; a query that repeats it can use them. */
export const OPEN = `state in ('queued', 'waiting', 'dispatched')`;

const entry = (state: string, note: string) =>
  `jsonb_build_object('at', to_char(now() at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'), 'state', ${state}, 'note', ${note})`;

/** A timeline of one entry. `state` and `note` are SQL expressions of type text. */
export const newTimeline = (state: string, note: string): string => `jsonb_build_array(${entry(state, note)})`;

/**
 * The timeline of the row `alias` with one entry more and, when it is full, its oldest one less. What is looked at again and
 * again for the same reason stays one entry, so that it keeps since when.
 */
export const appendedTimeline = (alias: string, state: string, note: string): string =>
  `case when (${alias}.timeline -> -1) @> jsonb_build_object('state', ${state}, 'note', ${note}) then ${alias}.timeline
    when jsonb_array_length(${alias}.timeline) >= ${TIMELINE_LIMIT} then (${alias}.timeline - 0) || ${entry(state, note)}
    else ${alias}.timeline || ${entry(state, note)} end`;

/** `$n` milliseconds from now. */
export const fromNow = (parameter: string): string =>
  `now() + ${parameter}::double precision * interval '1 millisecond'`;

/** What an operation loses when nobody works on it and no host has it. */
export const RELEASED = `waiting_for = null, next_at = null, deadline = null, claimed_by = null, lease_until = null`;

/**
 * Makes an insert of an operation one request more (or several) on the one that is open on the same server, volume and
 * kind. Its version stays: whoever works on it goes on, and `end` sees that more was asked.
 */
export const JOIN_OPEN = `
  on conflict (server_id, (${VOLUME_KEY}), kind) where ${OPEN} do update set
    requested_seq = o.requested_seq + excluded.requested_seq,
    initiator = excluded.initiator,
    request = excluded.request,
    state = case o.state when 'waiting' then 'queued' else o.state end,
    waiting_for = case o.state when 'waiting' then null else o.waiting_for end,
    next_at = case o.state when 'waiting' then null else o.next_at end,
    failures = case o.state when 'waiting' then 0 else o.failures end,
    timeline = ${appendedTimeline('o', `case o.state when 'waiting' then 'queued' else o.state end`, `'requested'::text`)}`;

/**
 * As one more table of a statement: its commit does not wait for the disk. Only for what costs nothing but time when a
 * crash of Postgres undoes it, that is
 *   claims: whoever lost one writes with a version and a decidedSeq that the row has only when somebody else has claimed
 *   the same requests since, and then one of the two goes on, as always. The next synced write takes the claim with it.
 *   sent_at and reports of hosts: the next one says it again.
 */
export const UNSYNCED = `(select set_config('synchronous_commit', 'off', true)) as unsynced`;
