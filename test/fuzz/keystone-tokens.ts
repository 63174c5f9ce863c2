import type { Log, ProjectId } from '@novella/core';
import type { TokenChecker, ValidatedToken } from '@novella/keystone';
import type { Authenticator } from '../../apps/nova-api/src/http/authenticator.js';
import { keystoneAuthenticator } from '../../apps/nova-api/src/http/keystone-authenticator.js';
import { identityOfToken } from '../../apps/nova-api/src/http/noauth2.js';
import { ADMIN, OTHER_PROJECT, STRANGER, USER } from '../../apps/nova-api/src/testing/start-nova-api.js';

/** In the place of Keystone: it knows the callers of the fuzz by the tokens that noauth2 has for them, and these. */
const withoutProject = { projectId: null, projectDomainId: null };
const token = (name: string): ValidatedToken => ({
  ...identityOfToken(name),
  userDomainId: 'default',
  projectDomainId: 'default',
  expiresAt: Number.POSITIVE_INFINITY,
  restriction: null,
});
const TOKENS: ReadonlyMap<string, ValidatedToken> = new Map([
  ...[ADMIN, USER, STRANGER].map((name) => [name, token(name)] as const),
  ['unscoped', { ...token(USER), ...withoutProject, roles: [] }],
  ['of-a-domain', { ...token(ADMIN), ...withoutProject, domainId: 'default' }],
  ['of-the-system', { ...token(ADMIN), ...withoutProject, systemScope: 'all' }],
  ['of-a-service', { ...token(`nova:${OTHER_PROJECT}`), roles: ['service'] }],
  ['without-roles', { ...token(USER), roles: [] }],
]);
/** Those that only Keystone tells apart. */
export const SCOPES = ['unscoped', 'of-a-domain', 'of-the-system', 'of-a-service', 'without-roles'];

const checker: Pick<TokenChecker, 'check'> = {
  check({ userToken, serviceToken }) {
    const user = TOKENS.get(userToken ?? '');
    const service = TOKENS.get(serviceToken ?? '') ?? null;
    return Promise.resolve(user === undefined ? null : { user, service });
  },
};
const OWN = { id: 'own', projectId: OTHER_PROJECT as ProjectId, catalog: [] };
const quiet = (): void => undefined;
const log: Log = { debug: quiet, info: quiet, warn: quiet, error: quiet };

/** nova-api's own side of Keystone. */
export const keystoneOfTokens = (): Authenticator =>
  keystoneAuthenticator(
    { checker, keystone: { ownToken: () => Promise.resolve(OWN) }, log },
    'http://keystone.example/v3',
  );
