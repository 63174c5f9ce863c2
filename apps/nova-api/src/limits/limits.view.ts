import type { Usage } from '@novella/persistence';
import { has } from '../http/microversion.js';
import type { ApiCall } from '../http/request-context.js';
import { inUse, type Quota, QUOTAS } from './quotas.js';

/** Mirrors nova:nova/api/openstack/compute/views/limits.py and quota_sets.py. */
type At = Pick<ApiCall, 'microversion'>;

const OF_NETWORKS: readonly Quota[] = ['fixed_ips', 'floating_ips', 'security_groups', 'security_group_rules'];
const OF_FILES: readonly Quota[] = ['injected_files', 'injected_file_content_bytes', 'injected_file_path_bytes'];

/** Which quotas a microversion still names. */
const named = ({ microversion }: At): Quota[] =>
  (Object.keys(QUOTAS) as Quota[]).filter(
    (quota) =>
      !(has(microversion, 'quotas.without-networks') && OF_NETWORKS.includes(quota)) &&
      !(has(microversion, 'quotas.without-files') && OF_FILES.includes(quota)),
  );

const MAXIMA: Partial<Record<Quota, string>> = {
  ram: 'maxTotalRAMSize',
  instances: 'maxTotalInstances',
  cores: 'maxTotalCores',
  key_pairs: 'maxTotalKeypairs',
  floating_ips: 'maxTotalFloatingIps',
  metadata_items: 'maxServerMeta',
  injected_files: 'maxPersonality',
  injected_file_content_bytes: 'maxPersonalitySize',
  security_groups: 'maxSecurityGroups',
  security_group_rules: 'maxSecurityGroupRules',
  server_groups: 'maxServerGroups',
  server_group_members: 'maxServerGroupMembers',
};
const TOTALS: Partial<Record<Quota, string>> = {
  ram: 'totalRAMUsed',
  cores: 'totalCoresUsed',
  instances: 'totalInstancesUsed',
  floating_ips: 'totalFloatingIpsUsed',
  security_groups: 'totalSecurityGroupsUsed',
  server_groups: 'totalServerGroupsUsed',
};

export function limitsView(usage: Usage, call: At) {
  const absolute = Object.fromEntries(
    named(call).flatMap((quota): [string, number][] => [
      ...entry(MAXIMA[quota], QUOTAS[quota]),
      ...entry(TOTALS[quota], inUse(quota, usage)),
    ]),
  );
  const images = has(call.microversion, 'limits.without-image-metadata') ? {} : { maxImageMeta: QUOTAS.metadata_items };
  return { limits: { rate: [], absolute: { ...absolute, ...images } } };
}

const entry = (name: string | undefined, value: number): [string, number][] =>
  name === undefined ? [] : [[name, value]];

export const quotaSetView = (projectId: string, call: At) => ({
  quota_set: { id: projectId, ...Object.fromEntries(named(call).map((quota) => [quota, QUOTAS[quota]])) },
});

/** Nova has reserved nothing since its quotas are counted. */
export const quotaUsageView = (projectId: string, usage: Usage, call: At) => ({
  quota_set: {
    id: projectId,
    ...Object.fromEntries(
      named(call).map((quota) => [quota, { limit: QUOTAS[quota], in_use: inUse(quota, usage), reserved: 0 }]),
    ),
  },
});
