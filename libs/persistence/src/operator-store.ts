import type {
  HostName,
  Millis,
  OperationId,
  OperationKind,
  OperationState,
  RequestId,
  ServerId,
  WaitingFor,
} from '@novella/core';
import type { Operation } from './records.js';

/** What an operator asks. No program's way rests on these answers. */
export interface OperatorStore {
  standing(id: OperationId): Promise<Standing | null>;
  /** Open operations, and ended ones of the last day; newest first. */
  standings(filter: OperationFilter): Promise<Standing[]>;
  /** Rows without an owner and a next step. There are none, or something is broken. Oldest first, at most 1,000. */
  stuck(): Promise<Stuck[]>;
}

export interface OperationFilter {
  readonly open?: boolean;
  readonly state?: OperationState;
  readonly waitingFor?: WaitingFor;
  readonly kind?: OperationKind;
  readonly serverId?: ServerId;
  /** Dispatched there, or of a server that is there. */
  readonly host?: HostName;
  /** Accepted at least so long ago. */
  readonly olderThan?: Millis;
  readonly limit: number;
}

/** An operation with who has it and what is known of its host, all of one moment. */
export interface Standing extends Operation {
  /** The conductor that works on it; null when its lease has run out. */
  readonly claim: { readonly by: string; readonly until: Date } | null;
  /** When a conductor takes it up by itself; null when it has ended. */
  readonly dueAt: Date | null;
  /** That it was dispatched to, or that its server is on; null: none yet. */
  readonly hostState: HostState | null;
  /** The requests that it answers, as os-instance-actions has them; oldest first. */
  readonly requests: readonly { readonly requestId: RequestId; readonly isFinished: boolean }[];
  /** The store's time of this answer. */
  readonly readAt: Date;
}

export interface HostState {
  readonly host: HostName;
  readonly up: boolean;
  readonly forcedDown: boolean;
  /** null: it is not known any more, or never was. */
  readonly lastReportAt: Date | null;
}

/** By which rule a row is stuck. */
export const STUCK = {
  /** Nothing makes the open operation due. */
  'no-next-step': 'operation',
  /** It has been due for `TAKEN_UP_WITHIN_MS`, and no conductor has come. */
  'not-taken-up': 'operation',
  /** State and end say different things. */
  'end-not-recorded': 'operation',
  /** A server has a task, or is building, and no operation of it is open. */
  'task-without-operation': 'server',
  /** A volume is reserved and not attached, and no operation is open that would do or undo it. */
  'reservation-without-operation': 'volume',
  /** An action of a user has no end, and its operation has one. */
  'action-without-end': 'action',
} as const satisfies Record<string, Stuck['what']>;
export type StuckReason = keyof typeof STUCK;

export interface Stuck {
  readonly what: 'operation' | 'server' | 'volume' | 'action';
  /** An operation's, server's or volume's id, or the action's request id. */
  readonly id: string;
  readonly serverId: ServerId;
  readonly reason: StuckReason;
  readonly since: Date;
}

export const TAKEN_UP_WITHIN_MS = 10 * 60_000;
export const MOST_STUCK = 1_000;
