import { describe, expect, it } from '@jest/globals';
import { parseRule } from './parse-rule.js';
import { decide } from './testing/test-rules.js';

/** `t` holds, `f` does not. */
const logic = (rule: string): string => rule.replace(/\bt\b/g, 'role:t').replace(/\bf\b/g, 'role:f');
const decides = (rule: string) => decide(logic(rule), { roles: ['t'] });

describe('the rule language', () => {
  it.each([
    ['t or f and f', true],
    ['f and f or t', true],
    ['t and f or f', false],
    ['t or t and f', true],
    ['f or t and t and f', false],
    ['f or t and f or t and t', true],
    ['(t or t) and f', false],
    ['t and (f or t)', true],
    ['not t or t', true],
    ['not f and f', false],
    ['not (t and f)', true],
    ['not (t or f)', false],
    ['not not t', true],
    ['not(f)', false],
    ['f or not f and t', true],
    ['T', false],
    ['t AND t Or f', true],
    ['NOT f', true],
    ['((t))', true],
    ['( ( t ) and ( f or ( t ) ) )', true],
    ['t\tor\nf', true],
    [' t ', true],
    ['@', true],
    ['!', false],
    ['! or @', true],
    ['', true],
  ])('%j is %p', (rule, allowed) => {
    expect(decides(rule)).toBe(allowed);
  });

  it.each([
    [' '],
    ['t f'],
    ['t and'],
    ['or t'],
    ['(t'],
    ['t)'],
    ['()'],
    ['t and or t'],
    ['"t"'],
    ["'role:t'"],
    ["'a':'a'"],
    ['and'],
    ['not'],
    ['('],
    ['t or "x"'],
    [`${'('.repeat(500)}t${')'.repeat(500)}`],
  ])('%j cannot be understood, and denies', (rule) => {
    expect(parseRule(logic(rule)).faults).not.toEqual([]);
    expect(decides(rule)).toBe(false);
  });

  it('denies a check without a colon, and only that', () => {
    expect(parseRule('admin or role:t').faults).toHaveLength(1);
    expect(decides('admin or t')).toBe(true);
    expect(decides('admin')).toBe(false);
    expect(decides('not admin')).toBe(true);
  });

  it('keeps the parentheses that belong to a substitution', () => {
    const owner = { project_id: 'p', roles: ['t'] };
    expect(decide('(role:t and (project_id:%(project_id)s))', owner, { project_id: 'p' })).toBe(true);
    expect(decide('(role:t and (project_id:%(project_id)s))', owner, { project_id: 'q' })).toBe(false);
  });

  it.each([
    [[], true],
    [[[]], false],
    [[''], false],
    [[['role:t']], true],
    [['role:t'], true],
    [[['role:t', 'role:f']], false],
    [[['role:f'], ['role:t', 'role:t']], true],
    [['role:f', 'role:t'], true],
    [['@'], true],
    [['role:f', []], false],
    // Each text of a list is one check.
    [['role:f or role:t'], false],
    [['(role:t)'], false],
  ])('the older form %j is %p', (rule, allowed) => {
    expect(decide(rule, { roles: ['t'] })).toBe(allowed);
  });
});
