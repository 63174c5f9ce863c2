import type { ProjectId, UserId } from '@novella/core';
import type { Authenticator } from './authenticator.js';
import { ApiFault } from './fault.js';
import type { Identity } from './identity.js';

/** What a record holds of a user or project. */
const MAX_ID_LENGTH = 255;

/** The test strategy, which believes every token, and offers one to who has none. */
export const noauth2: Authenticator = {
  challenge: null,
  trouble: null,
  // eslint-disable-next-line @typescript-eslint/require-await -- what it throws is to reject
  async authenticate({ token, header, versionUrl }) {
    if (token !== undefined) return { kind: 'identified', identity: identityOfToken(token), token };
    const headers = tokenOffer(header('x-auth-user'), header('x-auth-project-id'), versionUrl);
    return { kind: 'answered', status: 204, headers, body: null };
  },
};

/**
 * `<user>:<project>`. Admin exactly when the user is `admin`.
 * Mirrors nova:nova/api/openstack/auth.py (until 31.0.0). Nova's gives no roles, and then nobody but admin passes the
 * present rules; here everybody has member and reader.
 *
 * Throws 401 for a user or project that is too long to be one.
 */
export function identityOfToken(token: string): Identity {
  const colon = token.indexOf(':');
  const userId = colon < 0 ? token : token.slice(0, colon);
  const projectId = colon < 0 ? token : token.slice(colon + 1);
  if (Math.max(userId.length, projectId.length) > MAX_ID_LENGTH) {
    throw new ApiFault(401, 'The token names a user or project that is too long.');
  }
  return {
    userId: userId as UserId,
    projectId: projectId === '' ? null : (projectId as ProjectId),
    roles: userId === 'admin' ? ['admin', 'member', 'reader'] : ['member', 'reader'],
    systemScope: null,
    domainId: null,
    userDomainId: null,
    projectDomainId: null,
    serviceRoles: [],
  };
}

/** The headers of the 204 that a request without a token gets. */
export function tokenOffer(
  user: string | undefined,
  project: string | undefined,
  managementUrl: string,
): Record<string, string> {
  const projectId = project ?? 'admin';
  return {
    'X-Auth-Token': `${user ?? 'admin'}:${projectId}`,
    'X-Server-Management-Url': `${managementUrl}/${projectId}`,
  };
}
