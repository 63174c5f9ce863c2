import type {
  AttachmentId,
  BlockDeviceMappingId,
  BootImages,
  GiB,
  HostName,
  Millis,
  OperationId,
  PowerKind,
  ProjectId,
  ServerId,
  TaskState,
  UserId,
  VmState,
  VolumeId,
} from '@novella/core';
import type { BlockDeviceMapping, Flavor, Instance, InstanceAction, Usage } from './records.js';
import type { Requester } from './requester.js';

export interface NewInstance {
  readonly id: ServerId;
  readonly projectId: ProjectId;
  readonly userId: UserId;
  readonly name: string;
  readonly description: string | null;
  readonly flavor: Flavor;
  readonly imageRef: string | null;
  readonly bootImages: BootImages | null;
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
   * stopped or a task is set; `not-attached` without a mapping; `attaching` while its attach has not ended
   * well; `root-device` for boot index 0; `already-detaching` while a detach of it is open. They write nothing.
   */
  requestDetach(input: { serverId: ServerId; volumeId: VolumeId; requester: Requester }): Promise<
    | { kind: 'accepted'; operation: OperationId }
    | {
        kind: 'server-not-found' | 'server-busy' | 'not-attached' | 'attaching' | 'root-device' | 'already-detaching';
      }
  >;

  /** What its owner may change of an attachment: whether the volume is deleted with the server. */
  updateAttachment(input: {
    serverId: ServerId;
    volumeId: VolumeId;
    deleteOnTermination: boolean;
  }): Promise<'updated' | 'not-attached'>;

  /**
   * Sets the task state and opens an operation of `kind` with its action, when the server is in one of `from`; else
   * `wrong-state`, and nothing is written. `no-host`: it is on none. A reboot while a reboot is open joins it:
   * requestedSeq + 1, its request replaced; if it was `waiting` it is queued again and its failures are forgotten. A reboot
   * ends a pause, unpause, suspend or resume that is not dispatched (`server-rebooted`).
   */
  requestPower(input: {
    serverId: ServerId;
    kind: PowerKind;
    request: Readonly<Record<string, string>>;
    from: { readonly vmStates: readonly VmState[]; readonly taskStates: readonly (TaskState | null)[] };
    taskState: TaskState;
    requester: Requester;
  }): Promise<
    | { kind: 'accepted' | 'server-not-found' | 'no-host' }
    | { kind: 'wrong-state'; vmState: VmState; taskState: TaskState | null }
  >;

  /**
   * Marks the server as being deleted (task_state deleting), ends its attaches, detaches, extends and what changes
   * its power, unless they are dispatched (`server-deleted`), and writes a delete operation and action. A volume whose detach
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
