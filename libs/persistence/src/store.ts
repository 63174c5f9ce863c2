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
  UserId,
  VerifiedBy,
  Visible,
  VmState,
  VolumeId,
  WaitingFor,
} from '@novella/core';
import type { FlavorStore } from './flavor-store.js';
import type { KeyPairStore } from './key-pair-store.js';
import type { OperatorStore } from './operator-store.js';
import type { ServerStore } from './server-store.js';
import type {
  BlockDeviceMapping,
  Capacity,
  Flavor,
  Instance,
  InstanceAction,
  Operation,
  PlacedOn,
  Requester,
  Service,
  Usage,
} from './records.js';

/**
 * The truth. Two implementations, SQL and memory, pass one conformance suite. A method answers one question of one flow
 * or makes one transition in one transaction. Methods that change an operation name the version they have read and
 * answer null (or `raced`) when somebody else was faster: the caller then drops what it was doing.
 * Both are made with the time after which a silent service counts as down (`serviceDownTime`).
 * When the database cannot be reached they throw `database-unreachable`, and nothing was written or it was all written.
 */
export interface Store extends ApiStore, ServerStore, FlavorStore, KeyPairStore, EngineStore, HostStore, OperatorStore {
  /** Waits for what is under way and lets go of all connections. */
  close(): Promise<void>;
}

// ---------------------------------------------------------------------------------------------------- nova-api

export type { Requester };

export interface NewInstance {
  readonly id: ServerId;
  readonly projectId: ProjectId;
  readonly userId: UserId;
  readonly name: string;
  readonly description: string | null;
  readonly flavor: Flavor;
  readonly imageRef: string | null;
  readonly diskBus: 'virtio' | 'scsi';
  readonly metadata: Readonly<Record<string, string>>;
  readonly availabilityZone: string | null;
  readonly keyName: string | null;
  readonly hostname: string;
  readonly reservationId: string;
  readonly launchIndex: number;
  readonly accessIpV4: string | null;
  readonly accessIpV6: string | null;
  readonly configDrive: boolean;
  readonly autoDiskConfig: boolean;
  readonly kernelId: string;
  readonly ramdiskId: string;
  readonly tags: readonly string[];
  readonly userData: string | null;
  readonly keyData: string | null;
}

export interface NewBlockDeviceMapping {
  readonly id: BlockDeviceMappingId;
  readonly volumeId: VolumeId;
  readonly size: GiB;
  readonly bus: 'virtio' | 'scsi';
  /** `/dev/vdb` as asked for, or null: the store takes the first free name of the bus. */
  readonly device: string | null;
  readonly bootIndex: number | null;
  readonly tag: string | null;
  readonly deleteOnTermination: boolean;
  readonly multiattach: boolean;
}

/** One event of a POST, after its code was decided. */
export interface PostedEvent {
  readonly name: string;
  readonly serverId: string;
  readonly status: string;
  readonly tag: string | null;
  readonly code: 200 | 400 | 404 | 422;
  /** What an accepted event asks of the engine; null for events that are only recorded. */
  readonly operation:
    | { readonly kind: 'extend'; readonly serverId: ServerId; readonly volumeTag: string }
    | { readonly kind: 'power-update'; readonly serverId: ServerId; readonly target: 'POWER_ON' | 'POWER_OFF' }
    | null;
}

export interface ApiStore {
  /** What a project, or one user in it, has: its undeleted servers and their flavors. */
  usage(of: { readonly projectId: ProjectId; readonly userId: UserId | null }): Promise<Usage>;

  /** A server that is not deleted, or null. */
  instance(id: ServerId): Promise<Instance | null>;
  /** As `instance`, but deleted ones too: their actions can still be read. */
  instanceEvenDeleted(id: ServerId): Promise<Instance | null>;
  /** Of the mappings of many servers, in the order of their devices; one query. */
  blockDeviceMappings(servers: readonly ServerId[]): Promise<Map<ServerId, BlockDeviceMapping[]>>;
  /** What deciding the codes of external events needs, for many servers in one query. Deleted servers are left out. */
  instancesForEvents(
    servers: readonly ServerId[],
  ): Promise<Map<ServerId, { host: HostName | null; projectId: ProjectId }>>;

  /**
   * Writes a server (vm_state building, task_state scheduling), its mappings and a build operation. With mappings the
   * operation starts `waiting` for `api` until `confirmReservations`; if nobody confirms it within `confirmWithin` it
   * becomes due and the engine undoes it. The instance action `create` is written with it.
   */
  createInstance(input: {
    instance: NewInstance;
    mappings: readonly NewBlockDeviceMapping[];
    requester: Requester;
    confirmWithin: Millis;
  }): Promise<{ instance: Instance; mappings: BlockDeviceMapping[]; operation: OperationId }>;

  /** As createInstance for several servers without mappings, all or none of them. */
  createInstances(input: { instances: readonly NewInstance[]; requester: Requester }): Promise<Instance[]>;

  /**
   * Reserves an attachment under the server's row lock: mapping, device name, attach operation (`waiting` for `api`),
   * action `attach_volume`. Refusals: `server-not-found`; `server-busy` when its vm_state is not one of active, paused,
   * stopped or a task is set; `already-attached` when the volume has a mapping on this server; `device-in-use`.
   */
  reserveAttachment(input: {
    serverId: ServerId;
    mapping: NewBlockDeviceMapping;
    requester: Requester;
    confirmWithin: Millis;
  }): Promise<
    | { kind: 'reserved'; mapping: BlockDeviceMapping; operation: OperationId }
    | { kind: 'server-not-found' | 'server-busy' | 'already-attached' | 'device-in-use' }
  >;
  /** Cinder has answered: stores the attachments' ids and queues the operation. `gone` when the engine took it over. */
  confirmReservations(
    operation: OperationId,
    attachments: readonly { mapping: BlockDeviceMappingId; attachmentId: AttachmentId }[],
  ): Promise<'queued' | 'gone'>;
  /**
   * Cinder has refused and nothing is reserved there any more: forgets mappings, operation and action as if never asked;
   * for a build also the server. `gone` when the engine took the operation over.
   */
  abandonReservations(operation: OperationId): Promise<'forgotten' | 'gone'>;

  /**
   * Opens a detach operation with its action `detach_volume`, and ends the volume's extends that are not dispatched
   * (`volume-detached`). Refusals: `server-not-found`; `server-busy` when its vm_state is not one of active, paused,
   * suspended, stopped or a task is set; `not-attached` without a mapping; `attaching` while its attach has not ended
   * well; `root-device` for boot index 0; `already-detaching` while a detach of it is open. They write nothing.
   */
  requestDetach(input: { serverId: ServerId; volumeId: VolumeId; requester: Requester }): Promise<
    | { kind: 'accepted'; operation: OperationId }
    | {
        kind: 'server-not-found' | 'server-busy' | 'not-attached' | 'attaching' | 'root-device' | 'already-detaching';
      }
  >;

  /**
   * Sets the task state and opens an operation of `kind` with its action, when the server is in one of `from`; else
   * `wrong-state`, and nothing is written. `no-host`: it is on none. A reboot while a reboot is open joins it:
   * requestedSeq + 1, its request replaced; if it was `waiting` it is queued again and its failures are forgotten.
   */
  requestPower(input: {
    serverId: ServerId;
    kind: 'start' | 'stop' | 'reboot';
    request: Readonly<Record<string, string>>;
    from: { readonly vmStates: readonly VmState[]; readonly taskStates: readonly (TaskState | null)[] };
    taskState: TaskState;
    requester: Requester;
  }): Promise<
    | { kind: 'accepted' | 'server-not-found' | 'no-host' }
    | { kind: 'wrong-state'; vmState: VmState; taskState: TaskState | null }
  >;

  /**
   * Marks the server as being deleted (task_state deleting), ends its attaches, detaches, extends, starts, stops and
   * reboots that are not dispatched (`server-deleted`) and writes a delete operation and action. A volume whose detach
   * was open is not deleted with the server (deleteOnTermination false). A second delete while the first is open is
   * `already-deleting` and writes nothing.
   */
  requestDelete(
    serverId: ServerId,
    requester: Requester,
  ): Promise<'accepted' | 'already-deleting' | 'server-not-found'>;

  /**
   * Records a POST of external events in one transaction: every event with its answer (events with code 404 are not
   * written), and for those with an operation an instance action and the operation: a new one, or one more request on
   * the open one of the same server, volume and kind (`requestedSeq` + 1; if it was `waiting` it is queued again and its
   * failures are forgotten). Two events of one server in one POST: the second action gets a request id of its own.
   * A volumeTag that is no uuid opens an operation that has ended (`volume-not-attached`).
   */
  acceptExternalEvents(events: readonly PostedEvent[], requester: Requester): Promise<void>;

  /** Newest first, of a server that may be deleted. `events` are filled in only by `instanceAction`. */
  instanceActions(serverId: ServerId): Promise<InstanceAction[]>;
  instanceAction(serverId: ServerId, requestId: string): Promise<InstanceAction | null>;
}

// ---------------------------------------------------------------------------------------------------- the engine

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
    /** undefined leaves it; null clears it. `deleting` stays whatever is said here, until the server is deleted. */
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
   * of the server, or of the volume, that wait for `server-task` become due.
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
  readonly host: HostName;
  /** The last extend of this attachment that ended in failure, final or infeasible, and what it had wanted. */
  readonly refused: { readonly wantedBytes: Bytes; readonly capabilities: readonly string[] } | null;
}

// ---------------------------------------------------------------------------------------------------- hosts

export interface ServiceReportInput {
  readonly host: HostName;
  readonly binary: 'nova-compute' | 'nova-conductor';
  readonly version: string;
  readonly capabilities: readonly string[];
  readonly connectorProperties: Readonly<Record<string, unknown>>;
  readonly publicKey: string | null;
  readonly hypervisor: { readonly type: string; readonly version: string; readonly hostname: string };
  readonly capacity: Capacity;
}

export interface HostStore {
  /** Writes the report with last_report_at = now(). `came-up` when the service is new or was down until now. */
  reportService(report: ServiceReportInput): Promise<'came-up' | 'still-up'>;
  /** All services of a binary, with what is used of them. By host. */
  services(binary: 'nova-compute' | 'nova-conductor'): Promise<Service[]>;
  service(id: string): Promise<Service | null>;
  /**
   * What an operator decides of a service; null when there is none. A host forced down is not up, whatever it reports;
   * one that is no longer forced down is up again with its next report, which is a `came-up`. Enabled: no reason is kept.
   */
  updateService(
    id: string,
    change: { readonly disabled?: boolean; readonly disabledReason?: string | null; readonly forcedDown?: boolean },
  ): Promise<Service | null>;
  /**
   * Forgets the service; it comes back with its next report. `has-servers` when undeleted servers are placed on the host
   * of a nova-compute: then nothing was written.
   */
  deleteService(id: string): Promise<'deleted' | 'has-servers' | 'not-found'>;
  /** How many undeleted servers are placed on each host. Hosts with none are left out. */
  serversByHost(): Promise<ReadonlyMap<HostName, number>>;
  /** The host says that it is going down for a while: no longer up, until its next report. */
  serviceStopped(host: HostName, binary: 'nova-compute' | 'nova-conductor'): Promise<void>;
  /**
   * What the host saw of a guest. Ignored unless the server is on that host and not deleted. Without a task, and unless it
   * is `error` or `building`, the vm_state follows: running -> active, shutdown or crashed -> stopped, paused -> paused,
   * suspended -> suspended.
   */
  recordPowerState(host: HostName, serverId: ServerId, powerState: PowerState): Promise<'recorded' | 'ignored'>;
}
