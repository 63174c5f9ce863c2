import { SERVER_SORT_KEYS } from '@novella/persistence';
import { before, since } from '../http/microversion.js';
import { Rule, Text, Time, whyNotListOf, whyNotOneOf, whyNotText } from '../http/rules.js';

/**
 * Query of GET /servers and /servers/detail (nova:nova/api/openstack/compute/schemas/servers.py index_query).
 * Unknown keys are dropped before 2.75 and refused from there.
 */
const Count = (): PropertyDecorator => Text({ pattern: /^\d+$/ });
const tags = (): PropertyDecorator => Text({}, since('servers.tags'));

/** Once taken, never heeded; refused from 2.75. `locked` is heeded from 2.73. */
export const IGNORED_SORT_KEYS: readonly string[] = [
  'architecture',
  'cell_name',
  'cleaned',
  'default_ephemeral_device',
  'default_swap_device',
  'deleted',
  'deleted_at',
  'disable_terminate',
  'ephemeral_gb',
  'ephemeral_key_uuid',
  'id',
  'key_data',
  'launched_on',
  'memory_mb',
  'os_type',
  'reservation_id',
  'root_gb',
  'shutdown_terminate',
  'user_data',
  'vcpus',
  'vm_mode',
];
const knownKeys = (keys: readonly string[]) => whyNotListOf(whyNotOneOf(keys));
const Texts = (): PropertyDecorator => Rule('texts', whyNotListOf(whyNotText({})));

/** Each can be given once, these several times. */
export const SEVERAL = ['status', 'sort_key', 'sort_dir'] as const;

export class ListServersQuery {
  @Count() readonly limit?: string;
  @Text() readonly marker?: string;
  @Texts() readonly status?: readonly string[];
  @Text() readonly all_tenants?: string;
  @Rule('sortKeys', knownKeys([...SERVER_SORT_KEYS, ...IGNORED_SORT_KEYS]), before('strict-queries'))
  @Rule('sortKeys', knownKeys(SERVER_SORT_KEYS), since('strict-queries'))
  readonly sort_key?: readonly string[];
  @Texts() readonly sort_dir?: readonly string[];
  @Text() readonly deleted?: string;
  @Text() readonly soft_deleted?: string;
  @Time() readonly 'changes-since'?: string;
  @Time(since('changes-before')) readonly 'changes-before'?: string;

  @Text() readonly name?: string;
  @Text() readonly display_name?: string;
  @Text() readonly uuid?: string;
  @Text() readonly image?: string;
  @Text() readonly image_ref?: string;
  @Text() readonly flavor?: string;
  @Text() readonly host?: string;
  @Text() readonly hostname?: string;
  @Text() readonly node?: string;
  @Text() readonly user_id?: string;
  @Text() readonly project_id?: string;
  @Text() readonly tenant_id?: string;
  @Text() readonly vm_state?: string;
  @Text() readonly task_state?: string;
  @Text() readonly power_state?: string;
  @Text() readonly availability_zone?: string;
  @Text() readonly key_name?: string;
  @Text() readonly config_drive?: string;
  @Text() readonly auto_disk_config?: string;
  @Text() readonly reservation_id?: string;
  @Text() readonly description?: string;
  @Text() readonly display_description?: string;
  @Text() readonly kernel_id?: string;
  @Text() readonly ramdisk_id?: string;
  @Text() readonly root_device_name?: string;
  @Text() readonly access_ip_v4?: string;
  @Text() readonly access_ip_v6?: string;
  @Text() readonly locked_by?: string;
  @Text() readonly created_at?: string;
  @Text() readonly launched_at?: string;
  @Text() readonly terminated_at?: string;
  @Text() readonly ip?: string;
  @Text() readonly ip6?: string;
  @Text() readonly launch_index?: string;
  @Text() readonly progress?: string;
  @Text({}, since('servers.locked-reason')) readonly locked?: string;
  @tags() readonly tags?: string;
  @tags() readonly 'tags-any'?: string;
  @tags() readonly 'not-tags'?: string;
  @tags() readonly 'not-tags-any'?: string;

  // Other tables of Nova's: known, so that administrators are told that they are no filters.
  @Text() readonly block_device_mapping?: string;
  @Text() readonly services?: string;
  @Text() readonly metadata?: string;
  @Text() readonly system_metadata?: string;
  @Text() readonly info_cache?: string;
  @Text() readonly security_groups?: string;
  @Text() readonly pci_devices?: string;
}

export const OTHER_TABLES: readonly (keyof ListServersQuery)[] = [
  'block_device_mapping',
  'services',
  'metadata',
  'system_metadata',
  'info_cache',
  'security_groups',
  'pci_devices',
];
