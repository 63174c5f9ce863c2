import type { RuleName } from '@novella/policy';
import { channel } from 'node:diagnostics_channel';
import { ApiFault } from './fault.js';
import type { PolicyTarget } from './judge.js';
import type { RequestContext } from './request-context.js';

export type { RuleName } from '@novella/policy';
export type { PolicyTarget } from './judge.js';

type Judged = Pick<RequestContext, 'judge'>;

/** For what an answer shows. Throws nothing, and asks no other server: a rule that comes to one allows nothing here. */
export const allows = ({ judge }: Judged, rule: RuleName, target: PolicyTarget): boolean => judge.allows(rule, target);

/** Tells who listens (the maker of the API's description) which rules guard a request. */
export const AUTHORIZED = 'novella.nova-api.authorized';
const authorizedChannel = channel(AUTHORIZED);

/**
 * Throws the 403 when the rule does not allow it. To be called before anything is changed: when another server has to be
 * asked, what it throws makes the request begin anew with the answer in hand (error.filter.ts).
 */
export function authorize({ judge }: Judged, rule: RuleName, target: PolicyTarget): void {
  authorizedChannel.publish(rule);
  if (!judge.authorizes(rule, target)) throw new ApiFault(403, `Policy doesn't allow ${rule} to be performed.`);
}
