import type { Check } from './check.js';
import { parseRule } from './parse-rule.js';
import type { FileRule } from './policy-file.js';
import type { RuleDefault, RuleDefaults } from './rule-default.js';

/** A rule as it is in force. */
export interface EffectiveRule {
  readonly name: string;
  readonly check: Check;
  /** As it was written. */
  readonly text: string;
  /** The file's rule that decides it; null for what is in the code. */
  readonly file: FileRule | null;
  /** The old check holds too, or instead. */
  readonly deprecated: 'or-deprecated' | 'instead-of-new' | null;
}

/** The name whose rule stands in for names that are not defined ([oslo_policy] policy_default_rule). */
export const DEFAULT_RULE = 'default';

/**
 * What is in force: the files' rules by name, the last one said of each, and of the code's defaults those that no file
 * names. Mirrors oslo.policy:oslo_policy/policy.py load_rules, _handle_deprecated_rule.
 */
export function effectiveRules(
  defaults: RuleDefaults,
  fileRules: readonly FileRule[],
  options: { readonly enforceNewDefaults: boolean },
): ReadonlyMap<string, EffectiveRule> {
  const files = new Map(fileRules.map((rule) => [rule.name, rule]));
  const rules = new Map<string, EffectiveRule>();
  for (const rule of files.values()) rules.set(rule.name, ofFile(rule.name, rule, null));
  for (const [name, rule] of Object.entries(defaults)) {
    if (!files.has(name)) rules.set(name, ofDefault(name, rule, files, options));
  }
  return rules;
}

const ofFile = (name: string, file: FileRule, deprecated: EffectiveRule['deprecated']): EffectiveRule => ({
  name,
  check: file.check,
  text: file.text,
  file,
  deprecated,
});

function ofDefault(
  name: string,
  { check: text, deprecated }: RuleDefault,
  files: ReadonlyMap<string, FileRule>,
  { enforceNewDefaults }: { readonly enforceNewDefaults: boolean },
): EffectiveRule {
  const { check } = parseRule(text);
  const old = deprecated === undefined || deprecated.name === name ? undefined : files.get(deprecated.name);
  // An old name that only points to the new one says nothing of its own.
  if (old !== undefined && !(old.check.kind === 'rule' && old.check.name === name)) {
    return ofFile(name, old, 'instead-of-new');
  }
  if (!enforceNewDefaults && deprecated !== undefined && deprecated.check !== text) {
    const either: Check = { kind: 'or', checks: [check, parseRule(deprecated.check).check] };
    return { name, check: either, text: `(${text}) or (${deprecated.check})`, file: null, deprecated: 'or-deprecated' };
  }
  return { name, check, text, file: null, deprecated: null };
}

/** All names that `rule:` checks lead to. */
export const referencedNames = (rules: Iterable<Pick<EffectiveRule, 'check'>>): Set<string> =>
  new Set([...rules].flatMap(({ check }) => referencesOf(check)));

/** A way from a rule back to itself, by name; null when there is none. Asking such a rule would never end. */
export function findCycle(rules: ReadonlyMap<string, EffectiveRule>): string[] | null {
  const done = new Set<string>();
  const walk = (to: string, path: readonly string[]): string[] | null => {
    const name = rules.has(to) ? to : DEFAULT_RULE;
    const start = path.indexOf(name);
    if (start >= 0) return [...path.slice(start), name];
    const rule = rules.get(name);
    if (rule === undefined || done.has(name)) return null;
    for (const next of referencesOf(rule.check)) {
      const cycle = walk(next, [...path, name]);
      if (cycle !== null) return cycle;
    }
    done.add(name);
    return null;
  };
  for (const name of rules.keys()) {
    const cycle = walk(name, []);
    if (cycle !== null) return cycle;
  }
  return null;
}

/** Whether the rule may come to ask another server. */
export function asksRemote(rules: ReadonlyMap<string, EffectiveRule>, name: string): boolean {
  const rule = rules.get(name) ?? rules.get(DEFAULT_RULE);
  const leaves = rule === undefined ? [] : leavesOf(rule.check);
  return leaves.some((leaf) => leaf.kind === 'remote' || (leaf.kind === 'rule' && asksRemote(rules, leaf.name)));
}

const referencesOf = (check: Check): string[] =>
  leavesOf(check).flatMap((leaf) => (leaf.kind === 'rule' ? [leaf.name] : []));

/** What it is made of by `and`, `or` and `not`. */
function leavesOf(check: Check): Check[] {
  if (check.kind === 'not') return leavesOf(check.check);
  return check.kind === 'and' || check.kind === 'or' ? check.checks.flatMap(leavesOf) : [check];
}
