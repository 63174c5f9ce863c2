import { NOVA_RULES, type RuleName } from './nova-rules.js';
import { Policy, type PolicyIo } from './policy.js';

export type NovaPolicy = Policy<RuleName>;

/** What an operator says about the policy; undefined where nothing was said. */
export interface NovaPolicySettings {
  readonly policyFile?: string | undefined;
  readonly policyDirs?: readonly string[] | undefined;
  /** False: old defaults hold beside the new. */
  readonly policyNewDefaults: boolean;
}

/** Where it is looked for when nothing was said; there it may be absent. */
export const USUAL_POLICY = { file: '/etc/novella/policy.yaml', dir: '/etc/novella/policy.d' } as const;

/** Nova's rules as the operator's files change them. Throws PolicyError when those cannot be used. */
export function openNovaPolicy(
  { policyFile, policyDirs, policyNewDefaults }: NovaPolicySettings,
  io: PolicyIo,
): NovaPolicy {
  const paths = {
    file: { path: policyFile ?? USUAL_POLICY.file, isRequired: policyFile !== undefined },
    dirs: (policyDirs ?? [USUAL_POLICY.dir]).map((path) => ({ path, isRequired: policyDirs !== undefined })),
  };
  return new Policy<RuleName>({ ...IN_CODE, paths, enforceNewDefaults: policyNewDefaults }, io);
}

/** Nova's rules as they are in the code. */
export const novaDefaults = (io: PolicyIo): NovaPolicy =>
  new Policy<RuleName>({ ...IN_CODE, paths: null, enforceNewDefaults: true }, io);

const IN_CODE = { defaults: NOVA_RULES, neverRemote: ['context_is_admin'] } as const;
