import type {
  AttachmentId,
  BlockDeviceMappingId,
  Bytes,
  ConnectionInfo,
  ErrorRecord,
  GiB,
  HostName,
  Millis,
  OperationId,
  OperationKind,
  PowerState,
  ProjectId,
  ServerId,
  TaskState,
  VerifiedBy,
  Visible,
  VmState,
  VolumeId,
  WaitingFor,
} from '@novella/core';
import type { BlockDeviceMapping, Capacity, Instance, Operation, PlacedOn } from './records.js';
import type { Requester } from './requester.js';

export interface OperationFacts {
  /** Also when it is deleted. */
  readonly instance: Instance;
  /** Of the operation's volume, or all of the server's when the operation has no volume. By device. */
  readonly mappings: readonly BlockDeviceMapping[];
  /** Where the server is placed; null without a host or when that host never reported. */
  readonly service: PlacedOn | null;
  /** Other operations of the server that have not ended. */
  readonly others: readonly { kind: OperationKind; state: Operation['state']; volumeId: VolumeId | null }[];
}

/** What changes in other rows together with the end, or a step, of an operation. All in the same transaction. */
export interface RecordChanges {
  readonly instance?: {
    readonly vmState?: VmState;
    /**
     * undefined leaves it; null clears it. Whatever is said here, `deleting` stays until the server is deleted, and
     * `rebooting_hard` until a reboot ends.
     */
    readonly taskState?: TaskState | null;
    readonly powerState?: PowerState;
    readonly fault?: { readonly code: number; readonly message: string; readonly details: string };
    /** launched_at = now() unless it is set. */
    readonly launched?: true;
    /** Marks the row deleted: deleted_at and terminated_at = now(), vm_state deleted, task_state null, host kept. */
    readonly deleted?: true;
  };
  readonly mappings?: readonly {
    readonly id: BlockDeviceMappingId;
    readonly attachmentId?: AttachmentId;
    readonly connection?: ConnectionInfo | null;
    readonly sealedSecret?: string | null;
    readonly size?: GiB;
    readonly wantedBytes?: Bytes;
    readonly overheadBytes?: Bytes;
    readonly hostBytes?: Bytes;
    readonly guestBytes?: Bytes | null;
    /** attached_at = now() unless it is set. */
    readonly attached?: true;
    /** Removes the row. */
    readonly removed?: true;
  }[];
}

export interface EngineStore {
  /**
   * Takes up to `limit` operations that are due, oldest first, for `by` and for `lease`: queued ones; waiting ones whose
   * next_at has come; dispatched ones whose deadline has passed; none that another's lease still holds. Adds one to the
   * version and copies requestedSeq to decidedSeq, unless an extend is between its host's answer and its end: that goes on
   * for the requests that its command was for. Concurrent claims never answer the same operation.
   */
  claimDue(by: string, lease: Millis, limit: number): Promise<Operation[]>;
  /** As claimDue for one operation that is queued, or dispatched and past its deadline. */
  claimOne(id: OperationId, by: string, lease: Millis): Promise<Operation | null>;
  /**
   * Takes the operation whose present attempt a host has answered: dispatched, this attempt, this fence, this host.
   * decidedSeq stays as it was when the attempt was decided. null when the answer is not (or no longer) awaited.
   */
  claimForResult(
    answer: { operation: OperationId; attempt: number; fence: number; host: HostName },
    by: string,
    lease: Millis,
  ): Promise<Operation | null>;
  /** How long until the next operation is due by itself (next_at, deadline or lease); null when none is. */
  nextDueIn(): Promise<Millis | null>;

  operationFacts(operation: Operation): Promise<OperationFacts | null>;

  /**
   * Before a command is sent: state dispatched, attempt + 1, a fresh fence, a deadline `deadlineIn` from now, the step;
   * starts the events of the actions it answers; lets go of the lease. `excluded` when another operation of the same
   * server and volume (or of the server itself) is dispatched, or an extend of the volume for another server when it is
   * an extend; then nothing was written. null when raced.
   */
  dispatch(
    operation: Operation,
    input: { host: HostName; step: string | null; generation: number; deadlineIn: Millis; changes?: RecordChanges },
  ): Promise<Operation | 'excluded' | null>;
  /** The broker has confirmed the command. A no-op when the operation has moved on. */
  markSent(operation: Operation): Promise<void>;
  /** The broker returned the command: no queue. Takes the dispatch back into `waiting` for `host`. null when raced. */
  undoDispatch(operation: Operation, nextIn: Millis): Promise<Operation | null>;

  /** Stores the step about to run at the conductor, with what the step before it has changed; keeps the lease. */
  advance(
    operation: Operation,
    input: { step: string; error?: ErrorRecord | null; changes?: RecordChanges; lease: Millis },
  ): Promise<Operation | null>;

  /**
   * waiting, due again after `nextIn` or when what it waits for wakes it; lets go of the lease. `failed` adds one to the
   * failures; `first` begins to count anew.
   */
  wait(
    operation: Operation,
    input: {
      for: WaitingFor;
      nextIn: Millis;
      step?: string | null;
      error?: ErrorRecord | null;
      failed?: boolean | 'first';
    },
  ): Promise<Operation | null>;

  /**
   * Ends the part of the operation that was decided: actions with seq <= decidedSeq get their event finished (`Success`,
   * or `Error` with the error's code and message) and message null or `Error`; then succeeded or failed, or, if more was
   * requested meanwhile, queued again with failures forgotten; the server's task state then stays as it is. Operations
   * of the server, or of the volume, that wait for `server-task` or `guest-start` become due.
   */
  end(
    operation: Operation,
    input: (
      { result: 'succeeded'; verifiedBy?: VerifiedBy; visible?: Visible } | { result: 'failed'; error: ErrorRecord }
    ) & { changes?: RecordChanges },
  ): Promise<Operation | null>;

  /**
   * Places a server that is building on `host` if there is still room for it there (capacity less what the placed,
   * undeleted servers take), the service is not disabled or forced down and the server has no host. generation + 1,
   * task_state spawning. Concurrent calls never take more than there is.
   */
  place(
    operation: Operation,
    serverId: ServerId,
    host: HostName,
    need: Capacity,
  ): Promise<'placed' | 'no-room' | 'raced'>;

  /** Makes waiting operations due now: for a host that came up, or for Cinder's return. Answers how many. */
  wake(what: { for: 'host'; host: HostName } | { for: 'cinder' }): Promise<number>;

  /**
   * Makes due at once what a process was doing of which it is known that it has ended: what `claimedBy` holds by a lease,
   * or what was dispatched to a host whose worker has started anew. A host that is sent a command twice acts once.
   * Of what `claimedBy` holds, `except` stays with it. Answers how many.
   */
  takeOver(from: { claimedBy: string; except?: readonly OperationId[] } | { host: HostName }): Promise<number>;

  /**
   * Opens a system extend with an action of its own for an attachment that is out of step with Cinder, unless an extend
   * or a detach of it is open. Answers whether it was opened.
   */
  openSystemExtend(input: { serverId: ServerId; volumeId: VolumeId; requester: Requester }): Promise<boolean>;
  /**
   * Attachments that a reconciler should look at: attached, the server without a task and on a host, no open operation,
   * a page in the order of the mapping's id. `onHost`: only of servers there.
   */
  attachedVolumes(
    after: BlockDeviceMappingId | null,
    limit: number,
    onHost?: HostName | null,
  ): Promise<AttachedVolume[]>;
  /** Runs `work` while no other process does the same `name`; answers false without running it when one does. */
  exclusively(name: string, work: () => Promise<void>): Promise<boolean>;

  operation(id: OperationId): Promise<Operation | null>;
  /** Open operations, and ended ones of the last day; newest first. */
  operations(filter: { serverId?: ServerId; open?: boolean; limit: number }): Promise<Operation[]>;
}

export interface AttachedVolume {
  readonly mapping: BlockDeviceMapping;
  readonly projectId: ProjectId;
  readonly host: HostName;
  /** Of the server. */
  readonly powerState: PowerState;
  /** The last extend of this attachment that ended in failure, final or infeasible, and what it had wanted. */
  readonly refused: { readonly wantedBytes: Bytes; readonly capabilities: readonly string[] } | null;
}
