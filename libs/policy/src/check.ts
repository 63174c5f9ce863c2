import type { Template } from './template.js';

/** A rule as it was read. */
export type Check =
  | { readonly kind: 'allow' | 'deny' }
  | { readonly kind: 'not'; readonly check: Check }
  | { readonly kind: 'and' | 'or'; readonly checks: readonly Check[] }
  /** `rule:name` */
  | { readonly kind: 'rule'; readonly name: string }
  /** `role:name` */
  | { readonly kind: 'role'; readonly role: Template }
  /** `is_admin:True`, Nova's own (nova:nova/policy.py) */
  | { readonly kind: 'is-admin'; readonly expected: boolean }
  /** `http://host/path`: another server decides */
  | { readonly kind: 'remote'; readonly url: Template }
  /** `'text':%(name)s`: the left side says its own value */
  | { readonly kind: 'literal'; readonly text: string; readonly value: Template }
  /** `project_id:%(project_id)s`: the left side leads into the credentials */
  | { readonly kind: 'credential'; readonly path: readonly string[]; readonly value: Template }
  /** Read, but Python raises when it is reached and the target has what `value` takes of it. */
  | { readonly kind: 'broken'; readonly why: string; readonly value: Template };

export const ALLOW: Check = { kind: 'allow' };
export const DENY: Check = { kind: 'deny' };
