import type { Usage } from '@novella/persistence';

/** Of one user. */
export const MOST_KEY_PAIRS = 100;
/** Of one server. */
export const MOST_METADATA_ITEMS = 128;

/**
 * How much of each a project may have, by Nova's names: -1 is without limit, 0 is what is not served. Limits are the
 * same for all projects, and what is said here is held to.
 */
export const QUOTAS = {
  cores: -1,
  instances: -1,
  ram: -1,
  key_pairs: MOST_KEY_PAIRS,
  metadata_items: MOST_METADATA_ITEMS,
  server_groups: 0,
  server_group_members: 0,
  injected_files: 0,
  injected_file_content_bytes: 0,
  injected_file_path_bytes: 0,
  // The network service's own, which Nova names without a limit.
  fixed_ips: -1,
  floating_ips: -1,
  security_groups: -1,
  security_group_rules: -1,
} as const;
export type Quota = keyof typeof QUOTAS;

/** What a project has of it. Key pairs belong to users and count for none, as in Nova. */
export function inUse(quota: Quota, { instances, cores, memoryMib }: Usage): number {
  if (quota === 'instances') return instances;
  if (quota === 'cores') return cores;
  return quota === 'ram' ? memoryMib : 0;
}
