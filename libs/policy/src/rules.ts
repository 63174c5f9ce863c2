import { CannotEvaluate } from './cannot-evaluate.js';
import { type AskRemote, compile, type Compiled, type Credentials } from './compile.js';
import { DEFAULT_RULE, type EffectiveRule } from './effective-rules.js';
import type { RuleDefaults, Scope } from './rule-default.js';
import type { Target } from './template.js';

/**
 * The rules in force, compiled. They never change: a request is judged to its end by those that it began with. A name
 * that the code has not registered is a mistake of the code: asking for it throws.
 */
export class Rules<Name extends string = string> {
  readonly #compiled = new Map<string, Compiled>();

  /** `rules` must be without cycles. */
  constructor(
    readonly effective: ReadonlyMap<string, EffectiveRule>,
    private readonly defaults: RuleDefaults,
    private readonly askRemote: AskRemote,
  ) {
    for (const name of effective.keys()) this.#compile(name);
  }

  /**
   * Whether the rule allows it; a promise when another server has to be asked. Rejects when that one does not answer.
   * Mirrors oslo.policy:oslo_policy/policy.py authorize, enforce.
   */
  decide(name: Name, target: Target, credentials: Credentials): boolean | Promise<boolean> {
    const rule = this.#toAsk(name, credentials);
    if (rule === null) return false;
    if (rule.kind === 'now') return orDenied(() => rule.evaluate(target, credentials));
    return deniedLater(async () => rule.evaluate(target, credentials, name));
  }

  /** As decide, without asking another server: what only that one could allow is not allowed. */
  decideNow(name: Name, target: Target, credentials: Credentials): boolean {
    const rule = this.#toAsk(name, credentials);
    return rule?.kind === 'now' && orDenied(() => rule.evaluate(target, credentials));
  }

  /** Whether another server has to be asked for it. */
  asksRemote(name: string): boolean {
    return this.#compiled.get(name)?.kind === 'later';
  }

  /** null: the token's scope rules it out. */
  #toAsk(name: string, credentials: Credentials): Compiled | null {
    const registered = Object.hasOwn(this.defaults, name) ? this.defaults[name] : undefined;
    const rule = this.#compiled.get(name);
    if (registered === undefined || rule === undefined) throw new Error(`the policy rule ${name} is not registered`);
    return registered.scopes === null || registered.scopes.includes(scopeOf(credentials)) ? rule : null;
  }

  #compile(name: string): Compiled | null {
    const known = this.#compiled.get(name);
    if (known !== undefined) return known;
    const rule = this.effective.get(name) ?? this.effective.get(DEFAULT_RULE);
    if (rule === undefined) return null;
    const compiled = compile(rule.check, { rule: (other) => this.#compile(other), askRemote: this.askRemote });
    if (this.effective.has(name)) this.#compiled.set(name, compiled);
    return compiled;
  }
}

/** A token for neither the system nor a domain counts as one for a project. */
function scopeOf(credentials: Credentials): Scope {
  if (isSet(credentials['system_scope']) || isSet(credentials['system'])) return 'system';
  return isSet(credentials['domain_id']) ? 'domain' : 'project';
}
const isSet = (value: unknown): boolean => value !== undefined && value !== null && value !== '';

function orDenied(evaluate: () => boolean): boolean {
  try {
    return evaluate();
  } catch (error) {
    if (error instanceof CannotEvaluate) return false;
    throw error;
  }
}

async function deniedLater(evaluate: () => Promise<boolean>): Promise<boolean> {
  try {
    return await evaluate();
  } catch (error) {
    if (error instanceof CannotEvaluate) return false;
    throw error;
  }
}
