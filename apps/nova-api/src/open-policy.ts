import { seconds } from '@novella/core';
import { httpAskRemote, novaDefaults, openNovaPolicy, PolicyError, type PolicyIo, USUAL_POLICY } from '@novella/policy';
import { ConfigError } from '@novella/service-kit';
import type { NovaApiAppConfig } from './nova-api-app.config.js';
import type { NovaApiPorts } from './ports.js';

type PolicyPorts = Pick<NovaApiPorts, 'policy' | 'askPolicyServer'>;

/** The operator's rules, before anything else is opened: ConfigError names each line of a file that cannot be used. */
export function openPolicy(config: Readonly<NovaApiAppConfig>, io: PolicyIo): PolicyPorts {
  const { policyServerContentType: contentType, policyServerTimeoutS } = config;
  try {
    const policy = openNovaPolicy(config, io);
    return { policy, askPolicyServer: httpAskRemote({ contentType, timeout: seconds(policyServerTimeoutS) }, io.log) };
  } catch (error) {
    if (!(error instanceof PolicyError)) throw error;
    throw new ConfigError(
      error.faults.map(({ path, line, problem }) => ({
        key: path === (config.policyFile ?? USUAL_POLICY.file) ? 'NOVELLA_POLICY_FILE' : 'NOVELLA_POLICY_DIRS',
        given: line === null ? path : `${path}:${line}`,
        problem,
      })),
    );
  }
}

/** Nova's defaults, of which no server is asked. */
export const policyInCode = (io: PolicyIo): PolicyPorts => ({
  policy: novaDefaults(io),
  askPolicyServer: ({ url }) => Promise.reject(new Error(`no rule in the code leads to ${url}`)),
});
