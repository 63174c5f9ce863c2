import type { DeprecatedRule, RuleDefault, Scope } from './rule-default.js';

/**
 * Nova's rules and their defaults, for what is served here (nova:nova/policies/, 2026.2). A name that is not in this table
 * does not compile where it is asked for. Nova takes `admin` in `service_or_admin` for this release only; whoever wants
 * it gone today says `service_or_admin: rule:service_api`.
 */
const PROJECT: readonly Scope[] = ['project'];

const OLD_ADMIN: DeprecatedRule = { name: 'rule:admin_api', check: 'is_admin:True' };
const OLD_OWNER: DeprecatedRule = {
  name: 'rule:admin_or_owner',
  check: 'is_admin:True or project_id:%(project_id)s',
};
const old = (name: string, check: string): DeprecatedRule => ({ name, check });

/** What other rules are made of; no scope is asked of them, but of the rule that refers to them. */
const base = (check: string, deprecated?: DeprecatedRule): RuleDefault => ({
  check,
  scopes: null,
  ...(deprecated === undefined ? {} : { deprecated }),
});
const inProject = (check: string, deprecated?: DeprecatedRule): RuleDefault => ({
  check,
  scopes: PROJECT,
  ...(deprecated === undefined ? {} : { deprecated }),
});

const ANYBODY = inProject('@');
const NOBODY = inProject('!');
const ADMIN = inProject('rule:context_is_admin');
const SERVICE = inProject('rule:service_or_admin');
const READER = inProject('rule:project_reader_or_admin');
const MEMBER = inProject('rule:project_member_or_admin');
const USER = inProject('(rule:context_is_admin) or user_id:%(user_id)s');
const admin = (deprecated: DeprecatedRule): RuleDefault => inProject('rule:context_is_admin', deprecated);
const reader = (deprecated: DeprecatedRule): RuleDefault => inProject('rule:project_reader_or_admin', deprecated);

const OLD_ACTIONS = old('os_compute_api:os-instance-actions', 'rule:admin_or_owner');
const OLD_SERVICES = old('os_compute_api:os-services', 'rule:admin_api');
const OLD_HYPERVISORS = old('os_compute_api:os-hypervisors', 'rule:admin_api');

export const NOVA_RULES = {
  context_is_admin: base('role:admin', OLD_ADMIN),
  admin_or_owner: base('is_admin:True or project_id:%(project_id)s'),
  admin_api: base('is_admin:True'),
  project_manager_api: base('role:manager and project_id:%(project_id)s', OLD_ADMIN),
  project_member_api: base('role:member and project_id:%(project_id)s', OLD_OWNER),
  project_reader_api: base('role:reader and project_id:%(project_id)s', OLD_OWNER),
  service_api: base('role:service', OLD_ADMIN),
  project_manager_or_admin: base('rule:project_manager_api or rule:context_is_admin', OLD_ADMIN),
  project_member_or_admin: base('rule:project_member_api or rule:context_is_admin', OLD_OWNER),
  project_reader_or_admin: base('rule:project_reader_api or rule:context_is_admin', OLD_OWNER),
  service_or_admin: base('rule:service_api or rule:context_is_admin', OLD_ADMIN),

  'os_compute_api:servers:index': READER,
  'os_compute_api:servers:detail': READER,
  'os_compute_api:servers:index:get_all_tenants': ADMIN,
  'os_compute_api:servers:detail:get_all_tenants': ADMIN,
  'os_compute_api:servers:allow_all_filters': ADMIN,
  'os_compute_api:servers:show': READER,
  'os_compute_api:servers:show:flavor-extra-specs': reader(
    old('os_compute_api:os-flavor-extra-specs:index', 'rule:admin_or_owner'),
  ),
  'os_compute_api:servers:show:host_status': ADMIN,
  'os_compute_api:servers:show:host_status:unknown-only': ADMIN,
  'os_compute_api:servers:create': MEMBER,
  'os_compute_api:servers:create:forced_host': ADMIN,
  'compute:servers:create:requested_destination': ADMIN,
  'os_compute_api:servers:create:attach_volume': MEMBER,
  'os_compute_api:servers:create:attach_network': MEMBER,
  'os_compute_api:servers:create:trusted_certs': MEMBER,
  'os_compute_api:servers:create:zero_disk_flavor': ADMIN,
  'network:attach_external_network': ADMIN,
  'os_compute_api:servers:delete': MEMBER,
  'os_compute_api:servers:update': MEMBER,
  'os_compute_api:servers:confirm_resize': MEMBER,
  'os_compute_api:servers:revert_resize': MEMBER,
  'os_compute_api:servers:reboot': MEMBER,
  'os_compute_api:servers:resize': MEMBER,
  'compute:servers:resize:cross_cell': NOBODY,
  'os_compute_api:servers:rebuild': MEMBER,
  'os_compute_api:servers:rebuild:trusted_certs': MEMBER,
  'os_compute_api:servers:create_image': MEMBER,
  'os_compute_api:servers:create_image:allow_volume_backed': MEMBER,
  'os_compute_api:servers:start': MEMBER,
  'os_compute_api:servers:stop': MEMBER,
  'os_compute_api:servers:trigger_crash_dump': MEMBER,
  'os_compute_api:os-console-output': MEMBER,
  'os_compute_api:os-extended-server-attributes': ADMIN,
  'os_compute_api:os-lock-server:lock': MEMBER,
  'os_compute_api:os-lock-server:unlock': MEMBER,
  'os_compute_api:os-lock-server:unlock:unlock_override': ADMIN,
  'os_compute_api:os-pause-server:pause': MEMBER,
  'os_compute_api:os-pause-server:unpause': MEMBER,
  'os_compute_api:os-suspend-server:suspend': MEMBER,
  'os_compute_api:os-suspend-server:resume': MEMBER,
  'os_compute_api:server-metadata:index': READER,
  'os_compute_api:server-metadata:show': READER,
  'os_compute_api:server-metadata:create': MEMBER,
  'os_compute_api:server-metadata:update': MEMBER,
  'os_compute_api:server-metadata:update_all': MEMBER,
  'os_compute_api:server-metadata:delete': MEMBER,

  'os_compute_api:os-volumes-attachments:index': READER,
  'os_compute_api:os-volumes-attachments:show': READER,
  'os_compute_api:os-volumes-attachments:create': MEMBER,
  'os_compute_api:os-volumes-attachments:update': MEMBER,
  'os_compute_api:os-volumes-attachments:swap': SERVICE,
  'os_compute_api:os-volumes-attachments:delete': MEMBER,
  'os_compute_api:os-server-external-events:create': SERVICE,
  'os_compute_api:os-instance-actions:list': reader(OLD_ACTIONS),
  'os_compute_api:os-instance-actions:show': reader(OLD_ACTIONS),
  'os_compute_api:os-instance-actions:events': ADMIN,
  'os_compute_api:os-instance-actions:events:details': ADMIN,

  'os_compute_api:os-flavor-manage:create': ADMIN,
  'os_compute_api:os-flavor-manage:update': ADMIN,
  'os_compute_api:os-flavor-manage:delete': ADMIN,
  'os_compute_api:os-flavor-extra-specs:index': READER,
  'os_compute_api:os-flavor-extra-specs:show': READER,
  'os_compute_api:os-flavor-extra-specs:create': ADMIN,
  'os_compute_api:os-flavor-extra-specs:update': ADMIN,
  'os_compute_api:os-flavor-extra-specs:delete': ADMIN,
  'os_compute_api:os-flavor-access': admin(old('os_compute_api:os-flavor-access', 'rule:admin_or_owner')),
  'os_compute_api:os-flavor-access:add_tenant_access': ADMIN,
  'os_compute_api:os-flavor-access:remove_tenant_access': ADMIN,
  'os_compute_api:os-keypairs:index': USER,
  'os_compute_api:os-keypairs:show': USER,
  'os_compute_api:os-keypairs:create': USER,
  'os_compute_api:os-keypairs:delete': USER,
  'os_compute_api:limits': ANYBODY,
  'os_compute_api:limits:other_project': admin(old('os_compute_api:os-used-limits', 'rule:admin_api')),
  'os_compute_api:os-server-tags:index': READER,
  'os_compute_api:os-server-tags:show': READER,
  'os_compute_api:os-server-tags:update': MEMBER,
  'os_compute_api:os-server-tags:update_all': MEMBER,
  'os_compute_api:os-server-tags:delete': MEMBER,
  'os_compute_api:os-server-tags:delete_all': MEMBER,
  'os_compute_api:os-quota-sets:show': READER,
  'os_compute_api:os-quota-sets:detail': READER,
  'os_compute_api:os-quota-sets:defaults': ANYBODY,
  'os_compute_api:extensions': ANYBODY,

  'os_compute_api:os-services:list': admin(OLD_SERVICES),
  'os_compute_api:os-services:update': admin(OLD_SERVICES),
  'os_compute_api:os-services:delete': admin(OLD_SERVICES),
  'os_compute_api:os-hypervisors:list': admin(OLD_HYPERVISORS),
  'os_compute_api:os-hypervisors:list-detail': admin(OLD_HYPERVISORS),
  'os_compute_api:os-hypervisors:statistics': admin(OLD_HYPERVISORS),
  'os_compute_api:os-hypervisors:show': admin(OLD_HYPERVISORS),
  'os_compute_api:os-hypervisors:uptime': admin(OLD_HYPERVISORS),
  'os_compute_api:os-hypervisors:search': admin(OLD_HYPERVISORS),
  'os_compute_api:os-hypervisors:servers': admin(OLD_HYPERVISORS),
  'os_compute_api:os-availability-zone:list': ANYBODY,
  'os_compute_api:os-availability-zone:detail': ADMIN,
  'os_compute_api:os-aggregates:index': ADMIN,
} as const satisfies Record<string, RuleDefault>;

export type RuleName = keyof typeof NOVA_RULES;
