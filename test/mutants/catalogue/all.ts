import type { Mutant } from '../run-mutants.js';
import { API_MUTANTS } from './api.js';
import { ENGINE_MUTANTS } from './engine.js';
import { FLOW_MUTANTS } from './flows.js';
import { HOST_MUTANTS } from './host.js';
import { IMAGE_MUTANTS } from './images.js';
import { IDENTITY_MUTANTS } from './identity.js';
import { MESSAGE_MUTANTS } from './messages.js';
import { POLICY_MUTANTS } from './policy.js';
import { MEMORY_STORE_MUTANTS } from './store-in-memory.js';
import { SQL_STORE_MUTANTS } from './store-in-sql.js';

/** Those that no outside system is needed for. */
export const UNIT_MUTANTS: readonly Mutant[] = [
  ...API_MUTANTS,
  ...ENGINE_MUTANTS,
  ...FLOW_MUTANTS,
  ...HOST_MUTANTS,
  ...IMAGE_MUTANTS,
  ...IDENTITY_MUTANTS,
  ...MESSAGE_MUTANTS,
  ...POLICY_MUTANTS,
  ...MEMORY_STORE_MUTANTS,
];

export const ALL_MUTANTS: readonly Mutant[] = [...UNIT_MUTANTS, ...SQL_STORE_MUTANTS];

/** What is promised first of all; `npm test` runs these, `npm run proofs` all. */
const PROMISED = new Set([
  'the journal admits stale commands',
  'a message is acked when it is delivered',
  'a command is acked before its report is confirmed',
  'extend: the size is written when the command is sent',
  'memory store: what the decision rested on is not compared',
  'commands to hosts are not mandatory',
  'results are not mandatory',
  'a handler that fails gives its message back to the queue',
  'a deadline is taken as failure',
]);
export const PROMISED_MUTANTS: readonly Mutant[] = UNIT_MUTANTS.filter(({ name }) => PROMISED.has(name));
if (PROMISED_MUTANTS.length < PROMISED.size) throw new Error('a mutant that is promised is not in the catalogue');
