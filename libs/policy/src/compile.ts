import { CannotEvaluate } from './cannot-evaluate.js';
import type { Check } from './check.js';
import { isList, type PolicyValue, pythonStr } from './python-text.js';
import { constantText, fill, type Target, type Template } from './template.js';

/** Who asks: what their token says. Mirrors oslo.context's to_policy_values and Nova's is_admin. */
export type Credentials = Readonly<Record<string, PolicyValue>>;

/** What another server is asked, of the rule that was asked for. */
export interface RemoteQuestion {
  readonly url: string;
  readonly rule: string;
  readonly target: Target;
  readonly credentials: Credentials;
}

/** Who asks, and of what. */
export interface Asked {
  readonly rule: string;
  readonly target: Target;
  readonly credentials: Credentials;
  /** What the other server has answered. Where it was not asked yet, it throws what its caller is to catch. */
  readonly remote: (question: RemoteQuestion) => boolean;
}

/** A check as a function. Throws CannotEvaluate where Python raises. */
export type Evaluate = (asked: Asked) => boolean;

/**
 * Made once, when rules are loaded. `ruleNamed` answers null for a rule that does not exist; there are no cycles.
 * Mirrors oslo.policy:oslo_policy/_checks.py, _external.py.
 */
export function compile(check: Check, ruleNamed: (name: string) => Evaluate | null): Evaluate {
  switch (check.kind) {
    case 'allow':
      return () => true;
    case 'deny':
      return never;
    case 'broken':
      return ({ target }) => {
        if (fill(check.value, target) === null) return false;
        throw new CannotEvaluate(check.why);
      };
    case 'rule':
      return ruleNamed(check.name) ?? never;
    case 'is-admin':
      return ({ credentials }) => isAdmin(credentials) === check.expected;
    case 'role':
      return roleCheck(check.role);
    case 'literal':
      return ({ target }) => fill(check.value, target) === check.text;
    case 'credential':
      return credentialCheck(check.path, check.value);
    case 'remote':
      return ({ remote, ...question }) => {
        const url = fill(check.url, question.target);
        if (url === null) throw new CannotEvaluate('the target lacks a part of the URL');
        return remote({ url, ...question });
      };
    case 'not': {
      const evaluate = compile(check.check, ruleNamed);
      return (asked) => !evaluate(asked);
    }
    case 'and': {
      const evaluates = check.checks.map((each) => compile(each, ruleNamed));
      return (asked) => evaluates.every((evaluate) => evaluate(asked));
    }
    case 'or': {
      const evaluates = check.checks.map((each) => compile(each, ruleNamed));
      return (asked) => evaluates.some((evaluate) => evaluate(asked));
    }
  }
}

const never: Evaluate = () => false;

function isAdmin(credentials: Credentials): PolicyValue {
  const value = credentials['is_admin'];
  if (value === undefined) throw new CannotEvaluate('the credentials lack is_admin');
  return value;
}

function roleCheck(role: Template): Evaluate {
  // Roles of most rules are known when they are loaded.
  const known = constantText(role)?.toLowerCase();
  return ({ target, credentials }) => {
    const wanted = known ?? fill(role, target)?.toLowerCase();
    if (wanted === undefined) return false;
    const roles = credentials['roles'];
    return roles !== undefined && texts(roles).some((held) => held.toLowerCase() === wanted);
  };
}

function texts(value: PolicyValue): readonly string[] {
  if (isList(value) && value.every((item) => typeof item === 'string')) return value;
  throw new CannotEvaluate('the roles are no list of texts');
}

function credentialCheck(path: readonly string[], wanted: Template): Evaluate {
  return ({ target, credentials }) => {
    const text = fill(wanted, target);
    return text !== null && holds(credentials, path, text);
  };
}

/** Whether the value at the end of the path reads as `text`; of a list on the way, any element. */
function holds(value: PolicyValue, path: readonly string[], text: string): boolean {
  const [name, ...rest] = path;
  if (name === undefined) return pythonStr(value) === text;
  if (typeof value !== 'object' || value === null || isList(value)) {
    throw new CannotEvaluate(`there is no ${name} in what is no map`);
  }
  const next = Object.hasOwn(value, name) ? value[name] : undefined;
  if (next === undefined) return false;
  return isList(next) ? next.some((element) => holds(element, rest, text)) : holds(next, rest, text);
}
