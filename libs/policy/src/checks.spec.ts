import { describe, expect, it } from '@jest/globals';
import type { Credentials, RemoteQuestion } from './compile.js';
import { parseRule } from './parse-rule.js';
import type { Target } from './template.js';
import { decide, noRemote, rulesOf } from './testing/test-rules.js';

describe('checks', () => {
  it('compare roles in any case', () => {
    expect(decide('role:Admin', { roles: ['aDMIN'] })).toBe(true);
    expect(decide('role:admin', { roles: ['administrator'] })).toBe(false);
    expect(decide('role:admin', {})).toBe(false);
    expect(decide('role:%(needed)s', { roles: ['x'] }, { needed: 'X' })).toBe(true);
    expect(decide('role:%(needed)s', { roles: ['x'] })).toBe(false);
  });

  it('take is_admin as it was computed', () => {
    expect(decide('is_admin:True', { is_admin: true })).toBe(true);
    expect(decide('is_admin:true', { is_admin: true })).toBe(true);
    expect(decide('is_admin:yes', { is_admin: true })).toBe(false);
    expect(decide('is_admin:False', { is_admin: false })).toBe(true);
    expect(decide('is_admin:False', { is_admin: null })).toBe(false);
  });

  it("compare a value of the credentials with the target's, as texts", () => {
    expect(decide('user_id:%(user_id)s', { user_id: 'u' }, { user_id: 'u' })).toBe(true);
    expect(decide('age:%(age)s', { age: 5 }, { age: '5' })).toBe(true);
    expect(decide('domain.id:d1', { domain: { id: 'd1' } })).toBe(true);
    expect(decide('domain.name:d1', { domain: { id: 'd1' } })).toBe(false);
  });

  it('deny what the target lacks, whatever the caller is', () => {
    expect(decide('user_id:%(user_id)s', { user_id: 'u' })).toBe(false);
    expect(decide('user_id:%(user_id)s', { user_id: null })).toBe(false);
    expect(decide('user_id:None', {})).toBe(false);
  });

  it('print null as Python does, so that two that are missing are equal', () => {
    expect(decide('project_id:%(project_id)s', { project_id: null }, { project_id: null })).toBe(true);
    expect(decide('enabled:True', { enabled: true })).toBe(true);
  });

  it("take a target's key as it is written", () => {
    expect(decide("'a':%(target.project.id)s", {}, { 'target.project.id': 'a' })).toBe(true);
    expect(decide("'a':%(target.project.id)s", {}, { target: { project: { id: 'a' } } })).toBe(false);
  });

  it('search lists on the way, and never look at what credentials inherit', () => {
    expect(decide('roles:admin', { roles: ['x', 'admin'] })).toBe(true);
    expect(decide('roles:Admin', { roles: ['admin'] })).toBe(false);
    expect(decide('groups.name:b', { groups: [{ name: 'a' }, { name: 'b' }] })).toBe(true);
    expect(decide('constructor:x', {})).toBe(false);
    expect(decide('constructor.name:Object', {})).toBe(false);
    expect(decide("'function Object() { [native code] }':%(constructor)s", {})).toBe(false);
  });

  it.each([
    ["'Member':%(role)s", { role: 'Member' }, true],
    ['"Member":%(role)s', { role: 'Member' }, true],
    ['True:%(enabled)s', { enabled: true }, true],
    ['True:%(enabled)s', { enabled: 'true' }, false],
    ['None:%(owner)s', { owner: null }, true],
    ['20:%(age)s', { age: 20 }, true],
    ['-5:%(age)s', { age: -5 }, true],
    ['+5:%(age)s', { age: 5 }, true],
    ["'a:b':%(name)s", { name: 'a:b' }, false],
    ["'100%%':%(name)s", { name: '100%%' }, true],
    ["'100%':%(name)s%%", { name: '100' }, true],
  ])('compare a literal: %s with %j is %p', (rule, target, allowed) => {
    expect(decide(rule, {}, target)).toBe(allowed);
  });

  it.each([
    ['where a substitution is none', 'name:50%', { name: '50%' }],
    ['where it is of another kind', 'name:%(age)d', { name: '5' }],
    ['where a text would have to be gone into', 'name.first:x', { name: 'x' }],
    ['where a list would have to be gone into', 'roles.x.y:z', { roles: [['z']] }],
    ['where the left side is no expression', 'class:x', { class: 'x' }],
    ['where it is empty', ':x', {}],
    ['where the roles are no texts', 'role:x', { roles: null }],
  ])('break %s: nothing is allowed then, not even by `not`', (_, rule, credentials) => {
    expect(decide(rule, credentials, { age: 5 })).toBe(false);
    expect(decide(`not ${rule}`, credentials, { age: 5 })).toBe(false);
    expect(decide(`${rule} or @`, credentials, { age: 5 })).toBe(false);
    expect(decide(`@ or ${rule}`, credentials, { age: 5 })).toBe(true);
  });

  it('tell what is wrong with a substitution or a left side when they are read', () => {
    expect(parseRule('a:%(b)d and class:x and a:50%').faults).toHaveLength(3);
    expect(parseRule('a:%(b)s and c.d:x and a:50%%').faults).toEqual([]);
  });
});

describe('rules that refer to rules', () => {
  it('get the same target and caller', () => {
    const others = { owner: 'project_id:%(project_id)s', admin: 'role:admin' };
    expect(decide('rule:admin or rule:owner', { roles: [], project_id: 'p' }, { project_id: 'p' }, others)).toBe(true);
    expect(decide('rule:admin or rule:owner', { roles: [], project_id: 'p' }, { project_id: 'q' }, others)).toBe(false);
  });

  it('are denied where the other does not exist, unless there is a default', () => {
    expect(decide('rule:nobody', { roles: [] })).toBe(false);
    expect(decide('not rule:nobody', { roles: [] })).toBe(true);
    expect(decide('rule:nobody', { roles: [] }, {}, { default: '@' })).toBe(true);
  });
});

describe('what is asked for', () => {
  const defaults = {
    open: { check: '@', scopes: ['project'] },
    anywhere: { check: '@', scopes: null },
    renamed: { check: 'role:new', scopes: null, deprecated: { name: 'old', check: 'role:old' } },
  } as const;

  it('is refused to tokens of another scope', () => {
    const rules = rulesOf({ defaults });
    expect(rules.decideHere('open', {}, { project_id: 'p' })).toBe(true);
    expect(rules.decideHere('open', {}, { project_id: 'p', domain_id: null, system_scope: null })).toBe(true);
    expect(rules.decideHere('open', {}, { system_scope: 'all' })).toBe(false);
    expect(rules.decideHere('open', {}, { domain_id: 'd' })).toBe(false);
    expect(rules.decideHere('anywhere', {}, { system_scope: 'all' })).toBe(true);
  });

  it('must be registered: neither a file nor the default stands in', () => {
    const rules = rulesOf({ defaults, file: { default: '@', unknown: '@' } });
    expect(() => rules.decideHere('unknown', {}, {})).toThrow('not registered');
    expect(() => rules.decideHere('constructor', {}, {})).toThrow('not registered');
  });

  it('is what the file says of it', () => {
    expect(rulesOf({ defaults, file: { open: '!' } }).decideHere('open', {}, {})).toBe(false);
  });

  it('is what the file says of its old name, if that is not just the new one', () => {
    const says = (file: Record<string, string>, roles: string[]) =>
      rulesOf({ defaults, file }).decideHere('renamed', {}, { roles });
    expect(says({ old: 'role:mine' }, ['mine'])).toBe(true);
    expect(says({ old: 'role:mine' }, ['new'])).toBe(false);
    expect(says({ old: 'rule:renamed' }, ['new'])).toBe(true);
    expect(says({ old: 'role:mine', renamed: 'role:new' }, ['mine'])).toBe(false);
  });

  it('lets the old default hold beside the new where new defaults are not enforced', () => {
    const says = (options: { enforceNewDefaults?: boolean; file?: Record<string, string> }, roles: string[]) =>
      rulesOf({ defaults, ...options }).decideHere('renamed', {}, { roles });
    expect(says({}, ['old'])).toBe(false);
    expect(says({ enforceNewDefaults: false }, ['old'])).toBe(true);
    expect(says({ enforceNewDefaults: false }, ['new'])).toBe(true);
    expect(says({ enforceNewDefaults: false, file: { renamed: 'role:new' } }, ['old'])).toBe(false);
  });
});

describe('what another server decides', () => {
  const defaults = { asked: { check: '!', scopes: null } } as const;
  const decideBy = (
    file: Readonly<Record<string, string>>,
    credentials: Credentials,
    answer: boolean,
    target: Target = {},
  ) => {
    const questions: RemoteQuestion[] = [];
    const allowed = rulesOf({ defaults, file }).decide('asked', target, credentials, (question) => {
      questions.push(question);
      return answer;
    });
    return { allowed, questions };
  };

  it('is asked with the rule that was asked for, the target and the caller', () => {
    const file = { asked: 'rule:far', far: 'http://policy/%(project_id)s' };
    expect(decideBy(file, { roles: ['r'] }, true, { project_id: 'p' })).toEqual({
      allowed: true,
      questions: [
        { url: 'http://policy/p', rule: 'asked', target: { project_id: 'p' }, credentials: { roles: ['r'] } },
      ],
    });
  });

  it('is not asked for what is decided before', () => {
    const file = { asked: 'role:b and (role:a or https://x)' };
    expect(decideBy(file, { roles: ['a'] }, true)).toEqual({ allowed: false, questions: [] });
    expect(decideBy(file, { roles: ['a', 'b'] }, true)).toEqual({ allowed: true, questions: [] });
    expect(decideBy(file, { roles: ['b'] }, true)).toMatchObject({ allowed: true, questions: [{ url: 'https://x' }] });
  });

  it('turns by `not`', () => {
    expect(decideBy({ asked: 'not http://x' }, {}, true).allowed).toBe(false);
  });

  it('is denied where the URL cannot be filled in', () => {
    expect(decideBy({ asked: 'not http://%(a)s' }, {}, true)).toEqual({ allowed: false, questions: [] });
  });

  it('lets what cannot be answered yet through to the caller', () => {
    expect(() => rulesOf({ defaults, file: { asked: 'http://x or @' } }).decide('asked', {}, {}, noRemote)).toThrow(
      'asks no server',
    );
  });

  it('allows nothing where nobody can wait for it, not even by `not`', () => {
    for (const asked of ['http://x', 'not http://x', 'http://x or @']) {
      expect(rulesOf({ defaults, file: { asked } }).decideHere('asked', {}, {})).toBe(false);
    }
    expect(rulesOf({ defaults, file: { asked: '@ or http://x' } }).decideHere('asked', {}, {})).toBe(true);
  });
});
