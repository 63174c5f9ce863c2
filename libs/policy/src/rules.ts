import { CannotEvaluate } from './cannot-evaluate.js';
import { type Asked, compile, type Credentials, type Evaluate } from './compile.js';
import { DEFAULT_RULE, type EffectiveRule } from './effective-rules.js';
import type { RuleDefaults, Scope } from './rule-default.js';
import type { Target } from './template.js';

/**
 * The rules in force, compiled. They never change: a request is judged to its end by those that it began with. A name
 * that the code has not registered is a mistake of the code: asking for it throws.
 */
export class Rules<Name extends string = string> {
  readonly #compiled = new Map<string, Evaluate>();

  /** `rules` must be without cycles. */
  constructor(
    readonly effective: ReadonlyMap<string, EffectiveRule>,
    private readonly defaults: RuleDefaults,
  ) {
    for (const name of effective.keys()) this.#compile(name);
  }

  /**
   * Whether the rule allows it. `remote` answers for another server, or throws, and that goes through to the caller.
   * Mirrors oslo.policy:oslo_policy/policy.py authorize, enforce.
   */
  decide(name: Name, target: Target, credentials: Credentials, remote: Asked['remote']): boolean {
    const registered = Object.hasOwn(this.defaults, name) ? this.defaults[name] : undefined;
    const evaluate = this.#compiled.get(name);
    if (registered === undefined || evaluate === undefined)
      throw new Error(`the policy rule ${name} is not registered`);
    if (registered.scopes !== null && !registered.scopes.includes(scopeOf(credentials))) return false;
    try {
      return evaluate({ rule: name, target, credentials, remote });
    } catch (error) {
      if (error instanceof CannotEvaluate) return false;
      throw error;
    }
  }

  /** As decide, where nobody can wait for another server: a rule that comes to one allows nothing. */
  decideHere(name: Name, target: Target, credentials: Credentials): boolean {
    return this.decide(name, target, credentials, cannotAsk);
  }

  #compile(name: string): Evaluate | null {
    const known = this.#compiled.get(name);
    if (known !== undefined) return known;
    const rule = this.effective.get(name) ?? this.effective.get(DEFAULT_RULE);
    if (rule === undefined) return null;
    const evaluate = compile(rule.check, (other) => this.#compile(other));
    this.#compiled.set(rule.name, evaluate);
    return evaluate;
  }
}

function cannotAsk(): never {
  throw new CannotEvaluate('another server cannot be asked here');
}

/** A token for neither the system nor a domain counts as one for a project. */
function scopeOf(credentials: Credentials): Scope {
  if (isSet(credentials['system_scope']) || isSet(credentials['system'])) return 'system';
  return isSet(credentials['domain_id']) ? 'domain' : 'project';
}
const isSet = (value: unknown): boolean => value !== undefined && value !== null && value !== '';
