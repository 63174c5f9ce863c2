import { seconds } from '@novella/core';
import { NOVA_RULES, type RuleName } from './nova-rules.js';
import { Policy, type PolicyIo } from './policy.js';
import { httpAskRemote, type RemoteOptions } from './remote.js';

export type NovaPolicy = Policy<RuleName>;

/** What an operator says about the policy; undefined where nothing was said. */
export interface NovaPolicySettings {
  readonly policyFile?: string | undefined;
  readonly policyDirs?: readonly string[] | undefined;
  /** False: old defaults hold beside the new. */
  readonly policyNewDefaults: boolean;
  readonly policyRemoteContentType: RemoteOptions['contentType'];
  readonly policyRemoteTimeoutS: number;
}

/** Where it is looked for when nothing was said; there it may be absent. */
const USUAL_FILE = '/etc/novella/policy.yaml';
const USUAL_DIR = '/etc/novella/policy.d';

/** Nova's rules as the operator's files change them. Throws PolicyError when those cannot be used. */
export function openNovaPolicy(settings: NovaPolicySettings, { clock, log }: Omit<PolicyIo, 'askRemote'>): NovaPolicy {
  const { policyFile, policyDirs } = settings;
  const paths = {
    file: { path: policyFile ?? USUAL_FILE, isRequired: policyFile !== undefined },
    dirs: (policyDirs ?? [USUAL_DIR]).map((path) => ({ path, isRequired: policyDirs !== undefined })),
  };
  const {
    policyRemoteContentType: contentType,
    policyRemoteTimeoutS,
    policyNewDefaults: enforceNewDefaults,
  } = settings;
  const askRemote = httpAskRemote({ contentType, timeout: seconds(policyRemoteTimeoutS) }, log);
  return new Policy<RuleName>(
    { defaults: NOVA_RULES, paths, enforceNewDefaults, neverRemote: ['context_is_admin'] },
    { clock, log, askRemote },
  );
}
