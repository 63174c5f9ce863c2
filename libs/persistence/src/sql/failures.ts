import { NovellaError } from '@novella/core';

/** What kind of failure a driver's error is, by its SQLSTATE or by the socket's code. */
interface DriverError {
  readonly code?: unknown;
  readonly constraint?: unknown;
  readonly message?: unknown;
}

const SOCKET = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
  'ETIMEDOUT',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOENT',
]);
/**
 * Shut down, starting up or crashed; too many clients; a statement that took too long, or a transaction that stood still;
 * a standby that takes no writes; no room on the disk or in memory; a disk that fails.
 */
const UNREACHABLE = new Set([
  ...['57P01', '57P02', '57P03', '53300', '57014', '25P03', '25006', '28000', '28P01', '3D000'],
  ...['53100', '53200', '58030'],
]);
/** The texts with which pg and its pool report a connection that is gone; these errors carry no code. */
const GONE =
  /connection terminated|timeout exceeded when trying to connect|connection error and is not queryable|calling end on the pool|query read timeout|client was closed|driver not connected|timeout expired/i;

const RETRIED = new Set(['40001', '40P01']);
/** Two requests with the same id at the same moment: the second finds the first when it looks again. */
const RETRIED_CONSTRAINTS = new Set(['instance_action_one_request']);

/** TypeORM wraps the driver's error; `driverError` is what it wraps. */
function driverError(thrown: unknown): DriverError {
  if (typeof thrown !== 'object' || thrown === null) return {};
  const inner = 'driverError' in thrown ? thrown.driverError : thrown;
  if (inner instanceof AggregateError) return driverError(inner.errors[0]);
  return typeof inner === 'object' && inner !== null ? inner : {};
}

export function isRetryable(thrown: unknown): boolean {
  const { code, constraint } = driverError(thrown);
  return RETRIED.has(String(code)) || (code === '23505' && RETRIED_CONSTRAINTS.has(String(constraint)));
}

/** A migration has changed a table under a statement that was prepared before it: it must be prepared again. */
export function isPlanOutdated(thrown: unknown): boolean {
  const { code, message } = driverError(thrown);
  return code === '0A000' && String(message).includes('cached plan');
}

export const isUndefinedTable = (thrown: unknown): boolean => driverError(thrown).code === '42P01';

/** Postgres has not answered in time, not even that the statement took too long. */
export const isSilence = (thrown: unknown): boolean => /query read timeout/i.test(String(driverError(thrown).message));

/** Of an error that has left the database: its cause is the driver's. */
export function violates(thrown: unknown, constraint: string): boolean {
  const error = driverError(thrown instanceof NovellaError ? thrown.cause : thrown);
  return error.code === '23505' && error.constraint === constraint;
}

/** Of an error that has left the database: a regular expression that is none, or too much of one. */
export const isBadPattern = (thrown: unknown): boolean =>
  driverError(thrown instanceof NovellaError ? thrown.cause : thrown).code === '2201B';

/** Of an error that has left the database: Postgres has broken the statement off, for it took too long. */
export const isBrokenOff = (thrown: unknown): boolean =>
  driverError(thrown instanceof NovellaError ? thrown.cause : thrown).code === '57014';

/** The error that leaves the store: `database-unreachable`, or `internal` with the SQLSTATE for a statement that failed. */
export function toStoreError(thrown: unknown): Error {
  if (thrown instanceof NovellaError) return thrown;
  const { code, constraint, message } = driverError(thrown);
  const state = typeof code === 'string' ? code : '';
  const unreachable =
    SOCKET.has(state) ||
    UNREACHABLE.has(state) ||
    state.startsWith('08') ||
    (state === '' && GONE.test(String(message)));
  if (unreachable) {
    return new NovellaError(
      'database-unreachable',
      'the database cannot be reached',
      { code: state || null },
      { cause: thrown },
    );
  }
  if (state === '') return thrown instanceof Error ? thrown : new Error(String(thrown));
  const facts = { sqlState: state, constraint: typeof constraint === 'string' ? constraint : null };
  return new NovellaError('internal', 'the database refused a statement', facts, { cause: thrown });
}
