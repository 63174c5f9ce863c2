import type {
  AttachmentId,
  BlockDeviceMappingId,
  BootImages,
  Bytes,
  ConnectionInfo,
  ErrorRecord,
  GiB,
  HostName,
  OperationId,
  OperationKind,
  OperationState,
  PowerState,
  ProjectId,
  RequestId,
  ServerId,
  TaskState,
  UserId,
  VerifiedBy,
  Visible,
  VmState,
  VolumeId,
  WaitingFor,
} from '@novella/core';

/**
 * What the store answers and takes. All times are Postgres' now() at the moment of the write; `Date` values are read,
 * never sent for comparison.
 */
export interface Flavor {
  readonly id: string;
  readonly name: string;
  readonly vcpus: number;
  readonly memoryMib: number;
  readonly rootGib: number;
  readonly ephemeralGib: number;
  readonly swapMib: number;
  /** Of the share of the network that Xen once gave; kept because clients set and compare it. */
  readonly rxtxFactor: number;
  readonly isPublic: boolean;
  readonly disabled: boolean;
  readonly description: string | null;
  readonly extraSpecs: Readonly<Record<string, string>>;
}

/** Who asks, as it is written into instance actions. */
export interface Requester {
  readonly requestId: RequestId;
  readonly userId: UserId;
  readonly projectId: ProjectId;
}

export interface Instance {
  readonly id: ServerId;
  /** Counts up in the whole deployment; `instance-%08x` of it is the domain's name. */
  readonly number: number;
  readonly projectId: ProjectId;
  readonly userId: UserId;
  readonly name: string;
  readonly description: string | null;
  /** As it was when the server was created. */
  readonly flavor: Flavor;
  readonly imageRef: string | null;
  /** As they were when the server was created; null: it boots from none, or hosts have its image themselves. */
  readonly bootImages: BootImages | null;
  /** From image properties, at create: how disks are presented unless a mapping says otherwise. */
  readonly diskBus: 'virtio' | 'scsi';
  readonly metadata: Readonly<Record<string, string>>;
  readonly availabilityZone: string | null;
  readonly keyName: string | null;
  /** The guest's own name; from the server's, unless it was given. */
  readonly hostname: string;
  /** The same for all that one request has made, who differ in the index. */
  readonly reservationId: string;
  readonly launchIndex: number;
  /** Where users say that it is reached; nobody looks whether that is so. */
  readonly accessIpV4: string | null;
  readonly accessIpV6: string | null;
  readonly configDrive: boolean;
  readonly autoDiskConfig: boolean;
  /** Of the image; empty without. */
  readonly kernelId: string;
  readonly ramdiskId: string;
  /** In order, each once. */
  readonly tags: readonly string[];
  /** By the project that owns it, or by an administrator from elsewhere; null: it is not locked. */
  readonly lockedBy: 'owner' | 'admin' | null;
  readonly lockedReason: string | null;
  readonly vmState: VmState;
  readonly taskState: TaskState | null;
  readonly powerState: PowerState;
  readonly host: HostName | null;
  /** Grows whenever the server is placed on a host; commands of an older generation are stale. */
  readonly generation: number;
  readonly fault: {
    readonly code: number;
    readonly message: string;
    readonly details: string;
    readonly created: Date;
  } | null;
  readonly launchedAt: Date | null;
  readonly terminatedAt: Date | null;
  readonly createdAt: Date;
  readonly updatedAt: Date;
  readonly deletedAt: Date | null;
}

export interface BlockDeviceMapping {
  readonly id: BlockDeviceMappingId;
  readonly serverId: ServerId;
  readonly volumeId: VolumeId;
  /** Cinder's attachment; null between the reservation of the row and Cinder's answer. */
  readonly attachmentId: AttachmentId | null;
  /** How the host reaches the volume; null until Cinder has been told the host's connector. */
  readonly connection: ConnectionInfo | null;
  /** What else the host needs to reach it, sealed to the host's key when Cinder gave it; null: nothing. */
  readonly sealedSecret: string | null;
  /** `/dev/vdb`: unique per server, reserved in the accept transaction. */
  readonly device: string;
  readonly bus: 'virtio' | 'scsi';
  readonly bootIndex: number | null;
  readonly tag: string | null;
  readonly deleteOnTermination: boolean;
  readonly multiattach: boolean;
  /** The size as Nova shows it; follows what was read back. */
  readonly size: GiB;
  /** Cinder's size when an operation last read it; a host never raises it. */
  readonly wantedBytes: Bytes;
  /** Read back; null until the volume was attached once. */
  readonly hostBytes: Bytes | null;
  readonly guestBytes: Bytes | null;
  /** Bytes of the device that the guest cannot see (LUKS header), recorded at attach. */
  readonly overheadBytes: Bytes;
  /** Set when the attach has ended well. */
  readonly attachedAt: Date | null;
  readonly createdAt: Date;
}

export interface Service {
  readonly id: string;
  readonly host: HostName;
  readonly binary: 'nova-compute' | 'nova-conductor';
  readonly version: string;
  readonly capabilities: readonly string[];
  readonly connectorProperties: Readonly<Record<string, unknown>>;
  /** Base64 of the X25519 key that secrets for the host are sealed to; null for a conductor. */
  readonly publicKey: string | null;
  readonly hypervisor: { readonly type: string; readonly version: string; readonly hostname: string };
  readonly capacity: Capacity;
  /** What the servers placed on the host take of `capacity`. */
  readonly used: Capacity;
  readonly lastReportAt: Date;
  /** Reported within `serviceDownTimeS` and not forced down; decided by Postgres' clock. */
  readonly up: boolean;
  readonly disabled: boolean;
  readonly disabledReason: string | null;
  readonly forcedDown: boolean;
}
/** A host without the sum over its servers: no operation needs that, and it would cost the more the more servers there are. */
export type PlacedOn = Omit<Service, 'used'>;

export interface Capacity {
  readonly vcpus: number;
  readonly memoryMib: number;
  readonly diskGib: number;
}

/** What servers take together of what is counted for quotas. */
export interface Usage {
  readonly instances: number;
  readonly cores: number;
  readonly memoryMib: number;
}

export interface TimelineEntry {
  readonly at: string;
  readonly state: OperationState;
  /** One word or short phrase: a step, what is waited for, an error's code. */
  readonly note: string;
}

export interface Operation {
  readonly id: OperationId;
  readonly kind: OperationKind;
  /** The step that is running or comes next, for kinds that have several; stored before the step runs. */
  readonly step: string | null;
  readonly serverId: ServerId;
  readonly volumeId: VolumeId | null;
  readonly generation: number;
  readonly host: HostName | null;
  readonly initiator: 'user' | 'cinder' | 'system';
  readonly state: OperationState;
  readonly waitingFor: WaitingFor | null;
  /** Dispatches so far. */
  readonly attempt: number;
  readonly fence: number | null;
  readonly requestedSeq: number;
  /** Requests up to this one were accepted before the facts were read that the present attempt rests on. */
  readonly decidedSeq: number;
  /** Every write names the version it has read and adds one. */
  readonly version: number;
  /** Tries in a row that ended unsure; drives the backoff; zero again after a success or a new request. */
  readonly failures: number;
  /** What the kind needs besides the rows: e.g. power-update's target. */
  readonly request: Readonly<Record<string, string | null>>;
  /** What a multi-step operation failed with while it still undoes its steps, or the last unsure error. */
  readonly error: ErrorRecord | null;
  readonly verifiedBy: VerifiedBy | null;
  readonly visible: Visible | null;
  readonly createdAt: Date;
  readonly sentAt: Date | null;
  readonly deadline: Date | null;
  readonly nextAt: Date | null;
  readonly endedAt: Date | null;
  readonly timeline: readonly TimelineEntry[];
}

export interface InstanceAction {
  readonly serverId: ServerId;
  readonly action: string;
  readonly requestId: RequestId;
  readonly userId: UserId;
  /** Of who asked; null for a token without a project. */
  readonly projectId: ProjectId | null;
  readonly startTime: Date;
  readonly updatedAt: Date;
  /** null, or `Error` when an event under it failed. */
  readonly message: string | null;
  readonly events: readonly InstanceActionEvent[];
}

export interface InstanceActionEvent {
  readonly event: string;
  readonly host: HostName | null;
  readonly startTime: Date;
  readonly finishTime: Date | null;
  readonly result: 'Success' | 'Error' | null;
  readonly traceback: string | null;
  readonly details: string | null;
}
