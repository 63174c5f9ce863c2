import type { Mutant } from '../run-mutants.js';

const SQL = 'libs/persistence/src/sql';
const caughtBy = (tests: string): Mutant['caughtBy'] => ({ spec: 'test/conformance/store/sql.int-spec.ts', tests });

/**
 * What Postgres itself does for the store, and the statements that all transitions share; the memory store, which has a
 * twin of each and more in store-in-memory.ts, is run by the same tests. They need a Postgres.
 */
export const SQL_STORE_MUTANTS: readonly Mutant[] = [
  {
    name: 'SQL store: the version is not compared',
    file: `${SQL}/transitions.ts`,
    from: 'o.version = $2 and o.decided_seq',
    to: '$2::integer is not null and o.decided_seq',
    caughtBy: caughtBy('the first owner then writes nothing'),
  },
  {
    name: 'SQL store: an end or a wait forgets what was requested meanwhile',
    file: `${SQL}/transitions.ts`,
    from: 'const MORE = `o.requested_seq > o.decided_seq`;',
    to: 'const MORE = `false`;',
    caughtBy: caughtBy('finishes only the requests that were decided|wait queues at once'),
  },
  {
    name: 'SQL store: an end finishes requests that it has not decided',
    file: `${SQL}/transitions.ts`,
    from: 'a.seq <= changed.decided_seq and a.finished_at is null\n      returning a.id, changed.host',
    to: 'a.finished_at is null\n      returning a.id, changed.host',
    caughtBy: caughtBy('finishes only the requests that were decided'),
  },
  {
    name: 'SQL store: an answer stands for requests that came after its command',
    file: `${SQL}/claims.ts`,
    from: 'decided_seq = o.attempt_seq',
    to: 'decided_seq = o.requested_seq',
    caughtBy: caughtBy('keeps decidedSeq as the attempt had it'),
  },
  {
    name: 'SQL store: an answer is taken without its fence',
    file: `${SQL}/claims.ts`,
    from: 'o.fence = $3 and',
    to: '$3::bigint is not null and',
    caughtBy: caughtBy('for another attempt, fence, host'),
  },
  {
    name: 'SQL store: an answer is taken twice',
    file: `${SQL}/claims.ts`,
    from: "o.state = 'dispatched' and o.attempt",
    to: 'o.attempt',
    caughtBy: caughtBy('for an answer that was recorded'),
  },
  {
    name: 'SQL store: two operations of one volume are with a host at once',
    file: `${SQL}/migrations/1700000000000-initial.ts`,
    from: 'create unique index operation_one_dispatched on',
    to: 'create index operation_one_dispatched on',
    caughtBy: caughtBy('is excluded while another operation'),
  },
  {
    name: 'SQL store: extends of one volume for two servers are with hosts at once',
    file: `${SQL}/migrations/1700000000001-three-hosts.ts`,
    from: 'create unique index operation_one_extend_dispatched on',
    to: 'create index operation_one_extend_dispatched on',
    caughtBy: caughtBy('excludes extends of one volume for two servers'),
  },
  {
    name: "SQL store: a lease does not keep others' claims away",
    file: `${SQL}/migrations/1700000000000-initial.ts`,
    from: "when 'queued' then greatest(created_at, lease_until)",
    to: "when 'queued' then created_at",
    caughtBy: caughtBy('claimDue takes queued operations oldest first'),
  },
  {
    name: 'SQL store: nobody comes back to a command whose deadline has passed',
    file: `${SQL}/migrations/1700000000000-initial.ts`,
    from: "when 'dispatched' then greatest(deadline, lease_until)",
    to: "when 'dispatched' then null::timestamptz",
    caughtBy: caughtBy('takes a dispatched one when its deadline has passed'),
  },
  {
    name: 'SQL store: a delete ends what a host has',
    file: `${SQL}/end-unstarted.ts`,
    from: "and state <> 'dispatched'",
    to: '',
    caughtBy: caughtBy('requestDelete leaves an extend that a host has'),
  },
  {
    name: 'SQL store: a host that was forced down counts as up',
    file: `${SQL}/hosts.ts`,
    from: '(not s.forced_down and not s.stopped',
    to: '(not s.stopped',
    caughtBy: caughtBy('forces a host down, however often'),
  },
];
