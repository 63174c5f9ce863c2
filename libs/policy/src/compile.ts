import { CannotEvaluate } from './cannot-evaluate.js';
import type { Check } from './check.js';
import { isList, type PolicyValue, pythonStr } from './python-text.js';
import { constantText, fill, type Target } from './template.js';

/** Who asks: what their token says. Mirrors oslo.context's to_policy_values and Nova's is_admin. */
export type Credentials = Readonly<Record<string, PolicyValue>>;

/** Throws CannotEvaluate where Python raises. */
type Now = (target: Target, credentials: Credentials) => boolean;
type Later = (target: Target, credentials: Credentials, asked: string) => Promise<boolean>;

/** A check as a function; one that has to ask another server answers later. */
export type Compiled =
  { readonly kind: 'now'; readonly evaluate: Now } | { readonly kind: 'later'; readonly evaluate: Later };

/** Asks another server whether it allows the rule that was `asked` for. Rejects when it does not answer. */
export type AskRemote = (
  url: string,
  question: { readonly rule: string; readonly target: Target; readonly credentials: Credentials },
) => Promise<boolean>;

export interface CompileIo {
  /** The rule of this name; null when there is none. There are no cycles. */
  readonly rule: (name: string) => Compiled | null;
  readonly askRemote: AskRemote;
}

/** Made once, when rules are loaded. Mirrors oslo.policy:oslo_policy/_checks.py, _external.py. */
export function compile(check: Check, io: CompileIo): Compiled {
  switch (check.kind) {
    case 'allow':
      return now(() => true);
    case 'deny':
      return NEVER;
    case 'broken':
      return now((target) => {
        if (fill(check.value, target) === null) return false;
        throw new CannotEvaluate(check.why);
      });
    case 'rule':
      return io.rule(check.name) ?? NEVER;
    case 'is-admin':
      return now((_, credentials) => isAdmin(credentials) === check.expected);
    case 'role':
      return now(roleCheck(check.role));
    case 'literal':
      return now((target) => fill(check.value, target) === check.text);
    case 'credential':
      return now(credentialCheck(check.path, check.value));
    case 'remote':
      return {
        kind: 'later',
        evaluate: (target, credentials, rule) => {
          const url = fill(check.url, target);
          if (url === null) throw new CannotEvaluate('the target lacks a part of the URL');
          return io.askRemote(url, { rule, target, credentials });
        },
      };
    case 'not':
      return negated(compile(check.check, io));
    case 'and':
      return every(check.checks.map((each) => compile(each, io)));
    case 'or':
      return some(check.checks.map((each) => compile(each, io)));
  }
}

const now = (evaluate: Now): Compiled => ({ kind: 'now', evaluate });
const NEVER = now(() => false);
const later = ({ kind, evaluate }: Compiled): Later =>
  kind === 'later' ? evaluate : (target, credentials) => Promise.resolve(evaluate(target, credentials));
const allNow = (checks: readonly Compiled[]): Now[] | null => {
  const evaluates = checks.flatMap(({ kind, evaluate }) => (kind === 'now' ? [evaluate] : []));
  return evaluates.length === checks.length ? evaluates : null;
};

function negated(check: Compiled): Compiled {
  if (check.kind === 'now') {
    const { evaluate } = check;
    return now((target, credentials) => !evaluate(target, credentials));
  }
  const { evaluate } = check;
  return {
    kind: 'later',
    evaluate: async (target, credentials, asked) => !(await evaluate(target, credentials, asked)),
  };
}

function every(checks: readonly Compiled[]): Compiled {
  const immediate = allNow(checks);
  if (immediate !== null) {
    return now((target, credentials) => immediate.every((evaluate) => evaluate(target, credentials)));
  }
  return sequence(checks, false);
}

function some(checks: readonly Compiled[]): Compiled {
  const immediate = allNow(checks);
  if (immediate !== null) {
    return now((target, credentials) => immediate.some((evaluate) => evaluate(target, credentials)));
  }
  return sequence(checks, true);
}

/** One after the other until one answers `end`: a server is not asked for what is decided already. */
function sequence(checks: readonly Compiled[], end: boolean): Compiled {
  const evaluates = checks.map(later);
  return {
    kind: 'later',
    evaluate: async (target, credentials, asked) => {
      for (const evaluate of evaluates) {
        if ((await evaluate(target, credentials, asked)) === end) return end;
      }
      return !end;
    },
  };
}

function isAdmin(credentials: Credentials): PolicyValue {
  const value = credentials['is_admin'];
  if (value === undefined) throw new CannotEvaluate('the credentials lack is_admin');
  return value;
}

function roleCheck(role: Parameters<typeof fill>[0]): Now {
  // Roles of most rules are known when they are loaded.
  const known = constantText(role)?.toLowerCase();
  return (target, credentials) => {
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

function credentialCheck(path: readonly string[], wanted: Parameters<typeof fill>[0]): Now {
  return (target, credentials) => {
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
