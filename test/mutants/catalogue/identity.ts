import type { Mutant } from '../run-mutants.js';

const KEYSTONE = 'libs/keystone/src';
const SPEC = `${KEYSTONE}/keystone.spec.ts`;
const HTTP = 'apps/nova-api/src/http';

/** Who is believed, and for how long. */
export const IDENTITY_MUTANTS: readonly Mutant[] = [
  {
    name: 'a token that has expired is believed while it is cached',
    file: `${KEYSTONE}/token-validator.ts`,
    from: 'return allowExpired || known.expiresAt >=',
    to: 'return true || known.expiresAt >=',
    caughtBy: { spec: SPEC, tests: 'that has expired is not valid' },
  },
  {
    name: 'each of many requests asks Keystone by itself',
    file: `${KEYSTONE}/token-validator.ts`,
    from: 'this.pending.get(what) ?? ',
    to: '',
    caughtBy: { spec: SPEC, tests: 'is asked for once when 200 requests' },
  },
  {
    name: 'a token that Keystone refuses for our own sake is called invalid',
    file: `${KEYSTONE}/token-validator.ts`,
    from: 'if (answer.status === 404) return null;',
    to: 'if (answer.status === 404 || answer.status === 401) return null;',
    caughtBy: { spec: SPEC, tests: 'is neither valid nor invalid when Keystone refuses our new token too' },
  },
  {
    name: 'our own token is not renewed when Keystone refuses it',
    file: `${KEYSTONE}/token-validator.ts`,
    from: 'if (answer.status === 401) answer =',
    to: 'if (answer.status === 499) answer =',
    caughtBy: { spec: SPEC, tests: 'is asked for with a new token of ours' },
  },
  {
    name: 'our own token is renewed only when it has expired',
    file: `${KEYSTONE}/own-tokens.ts`,
    from: 'if (now >= this.held.renewFrom) this.renewMeanwhile(now);',
    to: '',
    caughtBy: { spec: SPEC, tests: 'is renewed before it expires' },
  },
  {
    name: 'anybody’s token is good for a service token',
    file: `${KEYSTONE}/check-tokens.ts`,
    from: 'if (service !== null && !isService && options.serviceTokenRolesRequired) {',
    to: 'if (service === null && isService) {',
    caughtBy: { spec: SPEC, tests: 'without the role spoils the request' },
  },
  {
    name: 'an invalid service token does not matter',
    file: `${KEYSTONE}/check-tokens.ts`,
    from: 'if (serviceToken !== null && service === null) return',
    to: 'if (serviceToken === null && service !== null) return',
    caughtBy: { spec: SPEC, tests: 'that Keystone does not know spoils the request' },
  },
  {
    name: 'an expired token counts without a service token',
    file: `${KEYSTONE}/check-tokens.ts`,
    from: 'validator.validate(userToken, isService)',
    to: 'validator.validate(userToken, true)',
    caughtBy: { spec: SPEC, tests: 'which does not count without it' },
  },
  {
    name: 'access rules do not matter',
    file: `${KEYSTONE}/check-tokens.ts`,
    from: 'if (isService || isAllowed(',
    to: 'if (restriction !== null || isAllowed(',
    caughtBy: { spec: SPEC, tests: 'is good for another method' },
  },
  {
    name: 'a dot in an access rule is any letter',
    file: `${KEYSTONE}/access-rules.ts`,
    from: "'\\\\$&'",
    to: "'$&'",
    caughtBy: { spec: `${KEYSTONE}/access-rules.spec.ts`, tests: '/v2.1/servers and /v2x1/servers: false' },
  },
  {
    name: 'an absent Keystone is an invalid token',
    file: `${HTTP}/keystone-authenticator.ts`,
    from: 'return unavailable(request);',
    to: 'return unauthorized(challenge);',
    caughtBy: { spec: `${HTTP}/keystone-authenticator.spec.ts`, tests: 'nobody is let in nor refused' },
  },
];
