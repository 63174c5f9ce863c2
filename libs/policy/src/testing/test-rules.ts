import type { Asked, Credentials } from '../compile.js';
import { effectiveRules } from '../effective-rules.js';
import type { FileRule } from '../policy-file.js';
import { parseRule, type RuleText } from '../parse-rule.js';
import type { RuleDefault } from '../rule-default.js';
import { Rules } from '../rules.js';
import type { Target } from '../template.js';

/** Rules as tests write them. */
const ASKED = 'asked';

export const noRemote: Asked['remote'] = () => {
  throw new Error('a test asks no server');
};

const fileRules = (rules: Readonly<Record<string, RuleText>>): FileRule[] =>
  Object.entries(rules).map(([name, given], at) => ({
    name,
    check: parseRule(given).check,
    text: typeof given === 'string' ? given : JSON.stringify(given),
    path: '/policy.yaml',
    line: at + 1,
  }));

interface TestRules {
  readonly defaults?: Readonly<Record<string, RuleDefault>>;
  readonly file?: Readonly<Record<string, RuleText>>;
  readonly enforceNewDefaults?: boolean;
}

export const effectiveOf = ({ defaults = {}, file = {}, enforceNewDefaults = true }: TestRules) =>
  effectiveRules(defaults, fileRules(file), { enforceNewDefaults });

export const rulesOf = (given: TestRules): Rules => new Rules(effectiveOf(given), given.defaults ?? {});

/** What one rule says, beside others that it may refer to. */
export function decide(
  rule: RuleText,
  credentials: Credentials,
  target: Target = {},
  others: Readonly<Record<string, RuleText>> = {},
): boolean {
  const rules = rulesOf({
    defaults: { [ASKED]: { check: '!', scopes: null } },
    file: { ...others, [ASKED]: rule },
  });
  return rules.decide(ASKED, target, credentials, noRemote);
}
