import type { Mutant } from '../run-mutants.js';

const HTTP = 'apps/nova-api/src/http';
const POLICY = 'libs/policy/src';
const MATRIX = 'test/walls/walls.spec.ts';
const OUTSIDE = 'test/walls/outside.spec.ts';

/** Who may do what, and what nobody outside of a project finds out. */
export const POLICY_MUTANTS: readonly Mutant[] = [
  {
    name: 'another project’s server is shown',
    file: 'apps/nova-api/src/servers/visible-instance.ts',
    from: '!(context.isAdmin || instance.projectId === context.projectId)',
    to: 'false',
    caughtBy: { spec: OUTSIDE, tests: 'as one that does not exist by GET /v2.1/servers/:id $' },
  },
  {
    name: 'a refusal is no refusal',
    file: `${HTTP}/policy.ts`,
    from: 'if (!judge.authorizes(rule, target))',
    to: 'if (!judge.authorizes(rule, target) && target.projectId === null)',
    caughtBy: { spec: MATRIX, tests: 'of POST /v2.1/servers$' },
  },
  {
    name: 'roles count without a project',
    file: `${HTTP}/judge.ts`,
    from: ': { roles: [] }',
    to: ': { roles }',
    caughtBy: { spec: MATRIX, tests: 'of GET /v2.1/os-services$' },
  },
  {
    name: 'an administrator is one whatever the token is for',
    file: `${POLICY}/rules.ts`,
    from: '!registered.scopes.includes(scopeOf(credentials))',
    to: 'false',
    caughtBy: { spec: MATRIX, tests: 'of GET /v2.1/limits$' },
  },
  {
    name: 'a private flavor is anybody’s',
    file: 'apps/nova-api/src/flavors/visible-flavor.ts',
    from: 'flavor.isPublic || context.isAdmin || hasAccess(flavor, context)',
    to: 'true',
    caughtBy: { spec: OUTSIDE, tests: 'a flavor that only the project may use' },
  },
  {
    name: 'volumes are not read with the user’s own token',
    file: 'apps/nova-api/src/volume-attachments/attach-volume.ts',
    from: 'await io.cinder.volume(volumeId, call.context)',
    to: 'await io.cinder.volume(volumeId, { ...call.context, projectId: instance.projectId, token: "admin in the project" })',
    caughtBy: { spec: OUTSIDE, tests: 'is not attached, as one that does not exist|in the name of the caller' },
  },
  {
    name: 'what the target lacks is nothing, and equal to nothing',
    file: `${POLICY}/template.ts`,
    from: 'if (value === undefined) return null;',
    to: "if (value === undefined) { text += 'None'; continue; }",
    caughtBy: { spec: `${POLICY}/checks.spec.ts`, tests: 'deny what the target lacks' },
  },
  {
    name: 'or binds closer than and',
    file: `${POLICY}/parse-rule.ts`,
    from: "return this.#list('or', () => this.#list('and', () => this.#one()));",
    to: "return this.#list('and', () => this.#list('or', () => this.#one()));",
    caughtBy: { spec: `${POLICY}/parse-rule.spec.ts`, tests: 'the rule language' },
  },
  {
    name: 'a rule that says nothing allows everybody',
    file: `${POLICY}/policy-file.ts`,
    from: 'value === null || isTagged(value) ? null : value.toJS(document)',
    to: "value === null ? '' : value.toJS(document)",
    caughtBy: { spec: `${POLICY}/policy-file.spec.ts`, tests: 'is wrong where a rule is' },
  },
];
