import type { ProjectId } from '@novella/core';
import { channel } from 'node:diagnostics_channel';
import { ApiFault } from './fault.js';
import type { RequestContext } from './request-context.js';

/** Nova's default rules for what is served (nova:nova/policies/), asked in one place. */
export interface PolicyTarget {
  /** The project that owns what is asked for; null for rules that look at the caller alone. */
  readonly projectId: ProjectId | null;
}
type Rule = (context: RequestContext, target: PolicyTarget) => boolean;

const ANYBODY: Rule = () => true;
const ADMIN: Rule = (context) => context.isAdmin;
const SERVICE: Rule = (context) => context.isAdmin || context.roles.includes('service');
const inProject =
  (role: string): Rule =>
  (context, target) =>
    context.isAdmin || (context.roles.includes(role) && owns(context, target));
const READER = inProject('reader');
const MEMBER = inProject('member');

/** An empty project owns nothing: two callers without a project must not be each other's owners. */
const owns = (context: RequestContext, target: PolicyTarget): boolean =>
  target.projectId !== null && (target.projectId as string) !== '' && context.projectId === target.projectId;

const RULES = {
  'os_compute_api:os-server-external-events:create': SERVICE,
  'os_compute_api:servers:index': READER,
  'os_compute_api:servers:detail': READER,
  'os_compute_api:servers:show': READER,
  'os_compute_api:servers:index:get_all_tenants': ADMIN,
  'os_compute_api:servers:detail:get_all_tenants': ADMIN,
  'os_compute_api:servers:allow_all_filters': ADMIN,
  'os_compute_api:servers:show:host_status': ADMIN,
  'os_compute_api:servers:show:flavor-extra-specs': READER,
  'os_compute_api:servers:create': MEMBER,
  'os_compute_api:servers:create:attach_volume': MEMBER,
  'os_compute_api:servers:create:trusted_certs': MEMBER,
  'os_compute_api:servers:create:forced_host': ADMIN,
  'os_compute_api:servers:create:zero_disk_flavor': ADMIN,
  'compute:servers:create:requested_destination': ADMIN,
  'os_compute_api:servers:delete': MEMBER,
  'os_compute_api:servers:start': MEMBER,
  'os_compute_api:servers:stop': MEMBER,
  'os_compute_api:servers:reboot': MEMBER,
  'os_compute_api:os-console-output': MEMBER,
  'os_compute_api:os-extended-server-attributes': ADMIN,
  'os_compute_api:os-flavor-extra-specs:index': READER,
  'os_compute_api:os-flavor-extra-specs:show': READER,
  'os_compute_api:os-volumes-attachments:index': READER,
  'os_compute_api:os-volumes-attachments:show': READER,
  'os_compute_api:os-volumes-attachments:create': MEMBER,
  'os_compute_api:os-volumes-attachments:delete': MEMBER,
  'os_compute_api:os-instance-actions:list': READER,
  'os_compute_api:os-instance-actions:show': READER,
  'os_compute_api:os-instance-actions:events': ADMIN,
  'os_compute_api:os-instance-actions:events:details': ADMIN,
  'os_compute_api:os-services:list': ADMIN,
  'os_compute_api:os-services:update': ADMIN,
  'os_compute_api:os-services:delete': ADMIN,
  'os_compute_api:os-hypervisors:list': ADMIN,
  'os_compute_api:os-hypervisors:list-detail': ADMIN,
  'os_compute_api:os-hypervisors:show': ADMIN,
  'os_compute_api:os-hypervisors:uptime': ADMIN,
  'os_compute_api:os-hypervisors:search': ADMIN,
  'os_compute_api:os-hypervisors:servers': ADMIN,
  'os_compute_api:os-hypervisors:statistics': ADMIN,
  'os_compute_api:os-availability-zone:list': ANYBODY,
  'os_compute_api:os-availability-zone:detail': ADMIN,
  'os_compute_api:os-aggregates:index': ADMIN,
} as const satisfies Record<string, Rule>;
export type RuleName = keyof typeof RULES;

export const allows = (context: RequestContext, rule: RuleName, target: PolicyTarget): boolean =>
  RULES[rule](context, target);

/** Tells who listens (the maker of the API's description) which rules guard a request. */
export const AUTHORIZED = 'novella.nova-api.authorized';
const authorizedChannel = channel(AUTHORIZED);

/** Throws the 403 when the rule does not allow it. */
export function authorize(context: RequestContext, rule: RuleName, target: PolicyTarget): void {
  authorizedChannel.publish(rule);
  if (!allows(context, rule, target)) {
    throw new ApiFault(403, `Policy doesn't allow ${rule} to be performed.`);
  }
}
