import type { ProjectId, UserId } from '@novella/core';
import type { Authenticator } from '../../apps/nova-api/src/http/authenticator.js';
import type { Identity } from '../../apps/nova-api/src/http/identity.js';

/** Everybody who may knock: each role with each kind of token. Their tokens are their names. */
export interface Caller {
  readonly name: string;
  readonly scope: 'own' | 'other' | 'domain' | 'system' | 'none';
  readonly roles: readonly string[];
}

/** The project that has the things, and another. */
export const OWN = 'aaaabbbbccccdddd0000111122223333' as ProjectId;
export const OTHER = 'ffffeeee000011112222333344445555' as ProjectId;

/** As Keystone puts them into tokens: a role brings those that it implies. */
const ROLES: Readonly<Record<string, readonly string[]>> = {
  'no role': [],
  reader: ['reader'],
  member: ['member', 'reader'],
  // Not by Keystone, but a token may be so.
  'member alone': ['member'],
  manager: ['manager', 'member', 'reader'],
  admin: ['admin', 'manager', 'member', 'reader'],
  service: ['service'],
};
const SCOPES: Readonly<Record<Caller['scope'], string>> = {
  own: 'in the project',
  other: 'in another project',
  domain: 'of the domain',
  system: 'of the system',
  none: 'unscoped',
};

export const CALLERS: readonly Caller[] = (Object.keys(SCOPES) as Caller['scope'][]).flatMap((scope) =>
  Object.entries(ROLES).map(([role, roles]) => ({ name: `${role} ${SCOPES[scope]}`, scope, roles })),
);

export const named = (name: string): Caller => {
  const caller = CALLERS.find((each) => each.name === name);
  if (caller === undefined) throw new Error(`nobody is called ${name}`);
  return caller;
};
/** Makes the things. */
export const OWNER = 'member in the project';
export const ADMINISTRATOR = 'admin in another project';

export const userIdOf = ({ name }: Pick<Caller, 'name'>): UserId => `user-${name.replaceAll(' ', '-')}` as UserId;
export const projectOf = ({ scope }: Caller): ProjectId | null =>
  scope === 'own' ? OWN : scope === 'other' ? OTHER : null;

const identityOf = (caller: Caller): Identity => ({
  userId: userIdOf(caller),
  projectId: projectOf(caller),
  roles: caller.roles,
  systemScope: caller.scope === 'system' ? 'all' : null,
  domainId: caller.scope === 'domain' ? 'default' : null,
  userDomainId: 'default',
  projectDomainId: projectOf(caller) === null ? null : 'default',
  serviceRoles: [],
});

export const byName: Authenticator = {
  challenge: null,
  trouble: null,
  authenticate: ({ token = '' }) => Promise.resolve({ kind: 'identified', identity: identityOf(named(token)), token }),
};
