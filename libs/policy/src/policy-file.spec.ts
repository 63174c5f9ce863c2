import { describe, expect, it } from '@jest/globals';
import { parsePolicyFile } from './policy-file.js';

const parsed = (text: string) => parsePolicyFile(text, '/etc/policy.yaml');
const namesOf = (text: string) => parsed(text).rules.map(({ name, text: rule, line }) => [name, rule, line]);
const faultsOf = (text: string) => parsed(text).faults.map(({ path, line }) => [path, line]);

describe('a policy file', () => {
  it('is a map from names to rules, in YAML', () => {
    const text = ['# ours', '"a:b": "role:x"', '', 'plain: role:x and project_id:%(project_id)s', 'open: "@"'].join(
      '\n',
    );
    expect(namesOf(text)).toEqual([
      ['a:b', 'role:x', 2],
      ['plain', 'role:x and project_id:%(project_id)s', 4],
      ['open', '@', 5],
    ]);
    expect(faultsOf(text)).toEqual([]);
  });

  it('or in JSON, with the older lists', () => {
    expect(namesOf('{\n\t"a": "role:x",\n\t"b": [["role:x", "role:y"], "role:z"]\n}')).toEqual([
      ['a', 'role:x', 2],
      ['b', '[["role:x","role:y"],"role:z"]', 3],
    ]);
  });

  it('may be empty', () => {
    for (const text of ['', '# nothing\n', '---\n', '{}']) expect(parsed(text)).toEqual({ rules: [], faults: [] });
  });

  it('may use aliases', () => {
    expect(namesOf('a: &x role:x\nb: *x\n')).toEqual([
      ['a', 'role:x', 1],
      ['b', 'role:x', 2],
    ]);
  });

  it.each([
    ['text without an end', 'a: "role:x\nb: y\n', 3],
    ['an at sign without quotes', 'a: "!"\nb: @\n', 2],
    ['a list', '- role:x\n', 1],
    ['two documents', 'a: b:c\n---\nd: e:f\n', 2],
  ])('is wrong where YAML is, or where it is no map: %s', (_, text, line) => {
    expect(faultsOf(text)).toEqual([['/etc/policy.yaml', line]]);
    expect(parsed(text).rules).toEqual([]);
  });

  it.each([
    ['nothing, which oslo.policy takes for everybody', 'a: "@"\nb:\n', 2],
    ['an exclamation mark without quotes, which YAML takes for nothing', 'a: "@"\nb: !\n', 2],
    ['a yes', 'b: yes\n', 1],
    ['a number', 'b: 5\n', 1],
    ['a map', 'b: {role: x}\n', 1],
    ['a list of numbers', 'b: [[5]]\n', 1],
    ['what cannot be understood', 'a: role:x\n\nb: role:x and\n', 3],
    ['a check without a colon', 'b: is_admin\n', 1],
    ['a wrong substitution', 'b: project_id:%project_id\n', 1],
    ['a name that is no text', '5: role:x\n', 1],
  ])('is wrong where a rule is %s', (_, text, line) => {
    expect(faultsOf(text)).toEqual([['/etc/policy.yaml', line]]);
  });

  it('tells all that is wrong at once', () => {
    expect(faultsOf('a: role\nb: role:x\nc: ~\nd: (role:x\n').map(([, line]) => line)).toEqual([1, 3, 4]);
  });
});
