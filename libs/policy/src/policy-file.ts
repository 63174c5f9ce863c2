import { isMap, isScalar, LineCounter, parseDocument, type ParsedNode } from 'yaml';
import type { Check } from './check.js';
import { parseRule, type RuleText } from './parse-rule.js';

/** A rule that a file gives. */
export interface FileRule {
  readonly name: string;
  readonly check: Check;
  /** As it was written. */
  readonly text: string;
  readonly path: string;
  /** Of its name, counted from 1. */
  readonly line: number;
}

/** What is wrong with the policy files; all that is wrong is told at once. */
export class PolicyError extends Error {
  constructor(readonly faults: readonly PolicyFault[]) {
    super(`the policy cannot be used:\n${faults.map((fault) => `  ${faultText(fault)}`).join('\n')}`);
    this.name = 'PolicyError';
  }
}

export interface PolicyFault {
  readonly path: string;
  /** null where it is the file itself. */
  readonly line: number | null;
  readonly problem: string;
}

export const faultText = ({ path, line, problem }: PolicyFault): string =>
  line === null ? `${path}: ${problem}` : `${path}:${line}: ${problem}`;

/**
 * The rules of one file: a YAML map (JSON is YAML too) from names to rules. YAML's errors and rules that cannot be
 * understood are faults: oslo.policy denies such a rule and goes on, here nothing is done by halves. Of a name that is
 * there twice, the last counts, as in oslo.policy.
 */
export function parsePolicyFile(text: string, path: string): { rules: FileRule[]; faults: PolicyFault[] } {
  const lines = new LineCounter();
  const document = parseDocument(text, { version: '1.1', uniqueKeys: false, lineCounter: lines, prettyErrors: false });
  const faults: PolicyFault[] = [];
  const lineOf = (offset: number | undefined): number => (offset === undefined ? 1 : lines.linePos(offset).line);
  for (const { message, pos } of document.errors) faults.push({ path, line: lineOf(pos[0]), problem: message });
  if (faults.length > 0) return { rules: [], faults };
  const { contents } = document;
  if (contents === null || (isScalar(contents) && contents.value === null)) return { rules: [], faults };
  if (!isMap(contents)) {
    return { rules: [], faults: [{ path, line: lineOf(contents.range[0]), problem: 'is no map from names to rules' }] };
  }

  const rules: FileRule[] = [];
  for (const item of contents.items) {
    const { key, value } = item;
    const line = lineOf(isScalar(key) ? key.range[0] : undefined);
    const name: unknown = isScalar(key) ? key.value : null;
    if (typeof name !== 'string') {
      faults.push({ path, line, problem: "a rule's name is text" });
      continue;
    }
    const given: unknown = value === null || isTagged(value) ? null : value.toJS(document);
    if (!isRuleText(given)) {
      faults.push({
        path,
        line,
        problem: `${name} is neither a text nor a list; "@" or "" allows everybody, "!" nobody`,
      });
      continue;
    }
    const { check, faults: wrong } = parseRule(given);
    faults.push(...wrong.map((why) => ({ path, line, problem: `${name}: ${why}` })));
    rules.push({ name, check, text: typeof given === 'string' ? given : JSON.stringify(given), path, line });
  }
  return { rules, faults };
}

/** An exclamation mark without quotes is a tag in YAML, and the rule would be empty: the opposite of what was meant. */
const isTagged = (value: ParsedNode): boolean => value.tag !== undefined;

function isRuleText(value: unknown): value is RuleText {
  const isText = (item: unknown): item is string => typeof item === 'string';
  if (isText(value)) return true;
  return Array.isArray(value) && value.every((item) => isText(item) || (Array.isArray(item) && item.every(isText)));
}
