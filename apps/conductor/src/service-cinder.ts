import { type CinderAuth, type CinderClient, createCinderClient, noAuth } from '@novella/cinder';
import type { Clock, Log, ProjectId } from '@novella/core';
import { createKeystone, type Keystone, type OwnToken } from '@novella/keystone';
import type { HealthCheck, OpenStackAccess } from '@novella/service-kit';

/** Cinder with the credentials of the service itself. */
export interface ServiceCinder {
  /** What proves us to other services. */
  readonly headers: () => Promise<Readonly<Record<string, string>>>;
  /** Where the catalog has Glance; null: there is no catalog. */
  readonly glanceEndpoint: (() => Promise<string>) | null;
  /** For what belongs to a project; null: for all projects together. */
  inProject(project: ProjectId | null): CinderClient;
  /** Asked by the health what keeps the service from proving itself; null where nothing ever does. */
  readonly trouble: HealthCheck | null;
  close(): Promise<void>;
}

const SERVICE_PROJECT = 'service' as ProjectId;

/**
 * With Keystone each call is made as our own user in its own project, whoever owns the volume: Cinder wants the token's
 * project in the URL, and lets an administrator have those of others. With noauth2 the token names the owner's project.
 */
export function serviceCinder(
  access: OpenStackAccess,
  io: { readonly clock: Clock; readonly log: Log },
): ServiceCinder {
  if (access.kind === 'noauth2') {
    const auth = noAuth('admin', SERVICE_PROJECT);
    const client = createCinderClient({ endpoint: access.cinderEndpoint, auth, log: io.log });
    return {
      headers: async () => (await auth.credentials()).headers,
      glanceEndpoint: null,
      inProject: (project) => (project === null ? client : client.as(noAuth('admin', project))),
      trouble: null,
      close: () => client.close(),
    };
  }
  const keystone = createKeystone({ ...access.keystone, ...io });
  const endpoint = access.cinderEndpoint ?? (() => keystone.endpoint('block-storage'));
  const auth = asOurselves(keystone);
  const client = createCinderClient({ endpoint, auth, log: io.log });
  return {
    headers: async () => (await auth.credentials()).headers,
    glanceEndpoint: () => keystone.endpoint('image'),
    inProject: () => client,
    async trouble() {
      await keystone.ownToken();
      return null;
    },
    async close() {
      await client.close();
      await keystone.close();
    },
  };
}

/** As X-Service-Token too: without it Cinder deletes no attachment of a server. */
export function asOurselves(keystone: Pick<Keystone, 'ownToken' | 'renewedToken'>): CinderAuth {
  const shown = ({ id, projectId }: OwnToken) => ({
    project: projectId,
    headers: { 'X-Auth-Token': id, 'X-Service-Token': id },
  });
  return {
    credentials: async () => shown(await keystone.ownToken()),
    renewed: async (refused) => shown(await keystone.renewedToken(refused.headers['X-Auth-Token'] ?? '')),
  };
}
