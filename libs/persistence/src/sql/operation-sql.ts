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

/** The timeline of the row `alias` with one entry more and, when it is full, its oldest one less. */
export const appendedTimeline = (alias: string, state: string, note: string): string =>
  `case when jsonb_array_length(${alias}.timeline) >= ${TIMELINE_LIMIT} then ${alias}.timeline - 0 else ${alias}.timeline end || ${entry(state, note)}`;

/** `$n` milliseconds from now. */
export const fromNow = (parameter: string): string =>
  `now() + ${parameter}::double precision * interval '1 millisecond'`;

/** What an operation loses when nobody works on it and no host has it. */
export const RELEASED = `waiting_for = null, next_at = null, deadline = null, claimed_by = null, lease_until = null`;
