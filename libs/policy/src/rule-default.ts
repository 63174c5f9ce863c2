/** What a token is for. Mirrors oslo.policy:oslo_policy/policy.py _enforce_scope. */
export type Scope = 'project' | 'domain' | 'system';

/** A rule that the code asks for, as long as no file says otherwise. */
export interface RuleDefault {
  readonly check: string;
  /** Tokens of another scope are refused before the check; null: all scopes. */
  readonly scopes: readonly Scope[] | null;
  readonly deprecated?: DeprecatedRule;
}

/** What a rule was called and was before. */
export interface DeprecatedRule {
  readonly name: string;
  readonly check: string;
}

/** By name. What is not in it cannot be asked. */
export type RuleDefaults = Readonly<Record<string, RuleDefault>>;
