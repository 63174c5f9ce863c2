/**
 * The error catalogue. A code is for machines and never changes its meaning; the message is for people; the grade tells
 * the engine what a retry can do. HTTP codes and wire forms are mapped from the code where they are needed, exhaustively.
 *
 * unsure      the outcome is unknown or the fault may pass: retry with backoff, after measuring
 * infeasible  it cannot work while these facts hold: retry slowly, and never for the same facts
 * final       it will never work: end the operation
 */
export type Grade = 'unsure' | 'infeasible' | 'final';

export const ERRORS = {
  // host storage
  'host-device-missing': 'unsure',
  'host-device-too-small': 'unsure',
  'paths-down': 'unsure',
  'path-outside-roots': 'final',
  'connector-unsupported': 'infeasible',
  'connection-info-invalid': 'final',
  // hypervisor
  'hypervisor-unreachable': 'unsure',
  'hypervisor-refused': 'unsure',
  'domain-not-found': 'final',
  'domain-not-ours': 'final',
  'guest-disk-missing': 'final',
  'guest-size-not-reached': 'unsure',
  'guest-busy': 'unsure',
  'extend-unsupported': 'infeasible',
  'disk-cannot-grow': 'infeasible',
  // images and placing
  'image-not-found': 'final',
  'image-refused': 'final',
  'image-not-active': 'final',
  'image-download-failed': 'unsure',
  'image-data-wrong': 'unsure',
  'host-disk-full': 'unsure',
  'flavor-too-small': 'final',
  'no-valid-host': 'final',
  'host-state-lost': 'unsure',
  // the life of a host
  'host-name-taken': 'final',
  'host-renamed': 'final',
  'sender-refused': 'final',
  'secret-unreadable': 'unsure',
  'volume-key-missing': 'infeasible',
  'encryption-unsupported': 'final',
  'key-manager-unsupported': 'infeasible',
  // facts of the record
  'volume-not-attached': 'final',
  'volume-detached': 'final',
  'volume-not-found': 'final',
  'server-deleted': 'final',
  'server-rebooted': 'final',
  'server-has-no-host': 'final',
  'event-unsupported': 'final',
  // services
  'cinder-unreachable': 'unsure',
  'cinder-refused': 'final',
  'cinder-unauthorized': 'infeasible',
  'cinder-answer-invalid': 'unsure',
  'keystone-unreachable': 'unsure',
  'keystone-refused': 'infeasible',
  'keystone-answer-invalid': 'unsure',
  'endpoint-not-found': 'infeasible',
  'image-service-unreachable': 'unsure',
  'image-service-unauthorized': 'infeasible',
  'image-service-answer-invalid': 'unsure',
  'broker-unreachable': 'unsure',
  'broker-refused': 'final',
  'rpc-timeout': 'unsure',
  'rpc-no-route': 'unsure',
  'rpc-message-invalid': 'final',
  'rpc-remote-failure': 'unsure',
  'database-unreachable': 'unsure',
  // the worker itself
  'command-stale': 'final',
  internal: 'unsure',
} as const satisfies Record<string, Grade>;

export type ErrorCode = keyof typeof ERRORS;
/** What a person or program needs to judge the error: ids, sizes in bytes, limits. Never a secret. */
export type ErrorFacts = Readonly<Record<string, string | number | boolean | null>>;

export class NovellaError extends Error {
  readonly grade: Grade;

  /** `message` says what happened in one sentence, without the cause's text: the logger prints the chain. */
  constructor(
    readonly code: ErrorCode,
    message: string,
    readonly facts: ErrorFacts = {},
    options?: { cause?: unknown; grade?: Grade },
  ) {
    super(message, options?.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'NovellaError';
    this.grade = options?.grade ?? ERRORS[code];
  }
}

/** How an error travels: over RPC, into an operation's row and into an instance action's details. */
export interface ErrorRecord {
  readonly code: ErrorCode;
  readonly grade: Grade;
  readonly message: string;
  readonly facts: ErrorFacts;
}

const LONGEST_CAUSE = 1_000;

/**
 * Any thrown value as a record; what is not a NovellaError becomes `internal` with its own text. What caused it (the
 * hypervisor's own words, say) goes along as the fact `cause`.
 */
export function toErrorRecord(thrown: unknown): ErrorRecord {
  if (thrown instanceof NovellaError) {
    const { code, grade, message, facts, cause } = thrown;
    const because = cause instanceof Error ? { cause: cause.message.slice(0, LONGEST_CAUSE) } : {};
    return { code, grade, message, facts: { ...facts, ...because } };
  }
  const message = thrown instanceof Error ? `${thrown.name}: ${thrown.message}` : String(thrown);
  return { code: 'internal', grade: ERRORS.internal, message, facts: {} };
}

export const isErrorCode = (text: string): text is ErrorCode => Object.hasOwn(ERRORS, text);
