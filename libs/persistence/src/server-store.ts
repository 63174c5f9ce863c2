import type { HostName, ProjectId, ServerId, TaskState, UserId, VmState } from '@novella/core';
import type { EVERY_PROJECT } from './every-project.js';
import type { Instance } from './records.js';
import type { Requester } from './requester.js';

/** What is listed of servers, how it is sorted, and what changes of them without a host. */

export const SERVER_SORT_KEYS = [
  'access_ip_v4',
  'access_ip_v6',
  'auto_disk_config',
  'availability_zone',
  'config_drive',
  'created_at',
  'display_description',
  'display_name',
  'host',
  'hostname',
  'image_ref',
  'instance_type_id',
  'kernel_id',
  'key_name',
  'launch_index',
  'launched_at',
  'locked',
  'locked_by',
  'node',
  'power_state',
  'progress',
  'project_id',
  'ramdisk_id',
  'root_device_name',
  'task_state',
  'terminated_at',
  'updated_at',
  'user_id',
  'uuid',
  'vm_state',
] as const;
export type ServerSortKey = (typeof SERVER_SORT_KEYS)[number];
export interface ServerSort {
  readonly key: ServerSortKey;
  readonly direction: 'asc' | 'desc';
}

/**
 * What a regular expression can be held against: times are `2026-01-02 03:04:05`, power states Nova's numbers, config_drive
 * `True` or empty, auto_disk_config 1 or 0, the node its hypervisor's name. A text that is not there never fits.
 */
export const SERVER_PATTERNS = [
  'name',
  'description',
  'hostname',
  'keyName',
  'reservationId',
  'availabilityZone',
  'kernelId',
  'ramdiskId',
  'rootDeviceName',
  'accessIpV4',
  'accessIpV6',
  'lockedBy',
  'launchIndex',
  'createdAt',
  'launchedAt',
  'terminatedAt',
  'powerState',
  'progress',
  'configDrive',
  'autoDiskConfig',
  'node',
] as const;
export type ServerPattern = (typeof SERVER_PATTERNS)[number];

/** All that is said must hold. */
export interface ServerListQuery {
  readonly projectId: ProjectId | typeof EVERY_PROJECT;
  readonly limit: number;
  /** The id of the last server of the page before. */
  readonly marker: ServerId | null;
  /** `no` unless said otherwise. */
  readonly deleted?: 'no' | 'only' | 'too';
  /** Newest first (created_at) unless said otherwise. Equals come in the order of their creation, by the first direction. */
  readonly sort?: readonly ServerSort[];
  readonly id?: ServerId;
  readonly userId?: UserId;
  /** null: boots from a volume. */
  readonly imageRef?: string | null;
  readonly flavorId?: string;
  readonly hosts?: readonly HostName[];
  readonly vmStates?: readonly VmState[];
  readonly taskStates?: readonly TaskState[];
  readonly locked?: boolean;
  readonly changedSince?: Date;
  readonly changedBefore?: Date;
  readonly tags?: {
    readonly all?: readonly string[];
    readonly any?: readonly string[];
    readonly notAll?: readonly string[];
    readonly notAny?: readonly string[];
  };
  /** Regular expressions of the database (Postgres' advanced ones) that must fit somewhere. */
  readonly patterns?: Readonly<Partial<Record<ServerPattern, string>>>;
}

export interface ServerChange {
  readonly name?: string;
  readonly description?: string | null;
  readonly hostname?: string;
  readonly accessIpV4?: string;
  readonly accessIpV6?: string;
  readonly autoDiskConfig?: boolean;
}

export type MetadataChange =
  | { readonly kind: 'merge' | 'replace'; readonly metadata: Readonly<Record<string, string>> }
  | { readonly kind: 'remove'; readonly key: string };

export type TagsChange =
  | { readonly kind: 'add' | 'remove'; readonly tag: string }
  | { readonly kind: 'replace'; readonly tags: readonly string[] };

/** What a change asks of the server. */
export interface ChangeLimits {
  readonly vmStates: readonly VmState[];
  /** So many items or tags at most. */
  readonly most: number;
}
type NotChanged = { readonly kind: 'server-not-found' } | { readonly kind: 'wrong-state'; readonly vmState: VmState };

/** What the guest would be given. */
export interface InstanceExtra {
  /** Base64. */
  readonly userData: string | null;
  /** The public key, as it was when the server was made. */
  readonly keyData: string | null;
}

export interface ServerStore {
  /**
   * `unknown-marker`: the marker is no server of the project, nor was one; `bad-pattern`: a pattern is no regular
   * expression, or too much of one (patterns.ts).
   */
  instances(query: ServerListQuery): Promise<Instance[] | 'unknown-marker' | 'bad-pattern'>;
  /** Of those that have something; one query. */
  instanceExtras(servers: readonly ServerId[]): Promise<Map<ServerId, InstanceExtra>>;
  /** Of a server that is not deleted, whatever it is doing; null when there is none. */
  updateServer(serverId: ServerId, change: ServerChange): Promise<Instance | null>;
  /**
   * Locks the server, or with null unlocks it, and writes the action `lock` or `unlock`, which has ended well. Locked anew
   * without a reason, it keeps the reason that it had.
   */
  setLock(
    serverId: ServerId,
    lock: { readonly by: 'owner' | 'admin'; readonly reason: string | null } | null,
    requester: Requester,
  ): Promise<'done' | 'server-not-found'>;
  changeMetadata(
    serverId: ServerId,
    change: MetadataChange,
    limits: ChangeLimits,
  ): Promise<
    | { readonly kind: 'changed'; readonly metadata: Readonly<Record<string, string>> }
    | { readonly kind: 'too-many' | 'no-such-key' }
    | NotChanged
  >;
  /** Tags are in order, each once. `unchanged`: it has the tag already. */
  changeTags(
    serverId: ServerId,
    change: TagsChange,
    limits: ChangeLimits,
  ): Promise<
    | { readonly kind: 'changed' | 'unchanged'; readonly tags: readonly string[] }
    | { readonly kind: 'too-many' | 'no-such-tag' }
    | NotChanged
  >;
}
