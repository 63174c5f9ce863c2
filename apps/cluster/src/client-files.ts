import { writeFile } from 'node:fs/promises';
import { PROJECT, TOKEN } from './identity.js';
import { apiUrl, cinderUrl, type ClusterFacts } from './members.js';

export interface ClientFacts extends ClusterFacts {
  /** A server can be made from it. */
  readonly image: string;
}

/** Writes what clients need: `clouds.yaml` for openstackclient and SDK, and `cluster.env` for a shell. */
export async function writeClientFiles(facts: ClientFacts): Promise<void> {
  const { clouds, environmentFile } = facts.folder;
  // The broker's password is in one of them.
  await writeFile(clouds, cloudsYaml(facts), { mode: 0o600 });
  await writeFile(environmentFile, environment(facts), { mode: 0o600 });
}

/** Pure. `admin_token` is how openstackclient is given a token without a Keystone; with one it is our own user. */
export function cloudsYaml(facts: ClientFacts): string {
  const { keystone } = facts.options;
  if (keystone !== null) {
    return `clouds:
  novella:
    auth_type: password
    auth:
      auth_url: ${keystone.url}
      username: ${JSON.stringify(keystone.username)}
      password: ${JSON.stringify(facts.identity.environment['NOVELLA_KEYSTONE_PASSWORD'] ?? '')}
      project_name: ${JSON.stringify(keystone.project)}
      user_domain_name: Default
      project_domain_name: Default
    compute_endpoint_override: ${apiUrl(facts.ports)}
    compute_api_version: '2.79'
    volume_api_version: '3.44'
`;
  }
  const volumes = `${cinderUrl(facts)}/${PROJECT}`;
  return `clouds:
  novella:
    auth_type: admin_token
    auth:
      endpoint: ${apiUrl(facts.ports)}
      token: ${TOKEN}
    compute_endpoint_override: ${apiUrl(facts.ports)}
    compute_api_version: '2.79'
    volume_endpoint_override: ${volumes}
    block_storage_endpoint_override: ${volumes}
    volume_api_version: '3.44'
`;
}

/** Pure. For `. cluster.env`: the words of the first steps, openstackclient's, and novella-manage's. */
export function environment(facts: ClientFacts): string {
  const values = {
    NOVA: apiUrl(facts.ports),
    ...(facts.options.keystone === null ? { CINDER: `${cinderUrl(facts)}/${PROJECT}`, TOKEN } : {}),
    IMAGE: facts.image,
    OS_CLIENT_CONFIG_FILE: facts.folder.clouds,
    OS_CLOUD: 'novella',
    NOVELLA_DATABASE_URL: facts.databaseUrl,
    NOVELLA_BROKER_URLS: facts.brokerUrl('nova-api'),
    NOVELLA_CINDER_ENDPOINT: cinderUrl(facts),
  };
  return Object.entries(values)
    .map(([name, value]) => `export ${name}=${quoted(value)}\n`)
    .join('');
}

const quoted = (value: string): string => `'${value.replaceAll("'", `'\\''`)}'`;
