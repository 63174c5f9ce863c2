import type { ProjectId, UserId } from '@novella/core';
import type { Credentials, RemoteQuestion, RuleName, Rules, Target } from '@novella/policy';
import type { Identity } from './identity.js';

/** What a rule is asked about. */
export interface PolicyTarget {
  /** The project that owns it; null for rules that look at the caller alone. */
  readonly projectId: ProjectId | null;
  /** The user that owns it, for rules that look at users. */
  readonly userId?: UserId | null;
}
/**
 * How one request is judged: by the rules that were in force when it began, for its caller, with what other servers have
 * answered about it. What rules see of a caller are oslo.context's names (nova:nova/context.py to_policy_values).
 */
export class Judge {
  /** Nova's `is_admin`, by the rule `context_is_admin`. */
  readonly isAdmin: boolean;
  readonly #credentials: Credentials;
  readonly #answers = new Map<string, boolean>();

  constructor(
    private readonly rules: Rules<RuleName>,
    identity: Identity,
  ) {
    const credentials = credentialsOf(identity);
    this.isAdmin = rules.decideHere('context_is_admin', targetOf(identity), { ...credentials, is_admin: null });
    this.#credentials = { ...credentials, is_admin: this.isAdmin };
  }

  allows(rule: RuleName, target: PolicyTarget): boolean {
    return this.rules.decideHere(rule, targetOf(target), this.#credentials);
  }

  /** Throws OpenQuestion when another server has to be asked first. */
  authorizes(rule: RuleName, target: PolicyTarget): boolean {
    return this.rules.decide(rule, targetOf(target), this.#credentials, (question) => this.#answered(question));
  }

  #answered(question: RemoteQuestion): boolean {
    const { url, rule, target } = question;
    const key = JSON.stringify([url, rule, target]);
    const answer = this.#answers.get(key);
    if (answer !== undefined) return answer;
    throw new OpenQuestion(question, (allowed) => void this.#answers.set(key, allowed));
  }
}

/** Nobody has asked the other server yet. Whoever catches it asks, tells the answer and begins anew. */
export class OpenQuestion extends Error {
  constructor(
    readonly question: RemoteQuestion,
    readonly answer: (allowed: boolean) => void,
  ) {
    super(`the policy server ${question.url} has to be asked`);
  }
}

/**
 * A project that is not there is left out on both sides, for in Python two that are missing are equal. Roles are held in
 * a project: whoever has none (a token of a domain, of the system or of nothing) has no roles here.
 */
function credentialsOf(identity: Identity): Credentials {
  const { projectId, userId, roles } = identity;
  return {
    user_id: userId,
    user_domain_id: identity.userDomainId,
    system_scope: identity.systemScope,
    domain_id: identity.domainId,
    ...(isThere(projectId) ? { project_id: projectId, roles } : { roles: [] }),
    project_domain_id: identity.projectDomainId,
    is_admin_project: true,
    service_roles: identity.serviceRoles,
  };
}

const targetOf = ({ projectId, userId = null }: PolicyTarget): Target => ({
  ...(isThere(projectId) ? { project_id: projectId } : {}),
  ...(isThere(userId) ? { user_id: userId } : {}),
});

const isThere = (id: string | null): id is string => id !== null && id !== '';
