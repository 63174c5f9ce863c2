import type { ProjectId, UserId } from '@novella/core';

/** Who a token speaks for, as far as policy rules and records ask. Whatever checks tokens makes one. */
export interface Identity {
  readonly userId: UserId;
  /** null for a token of a domain, of the system or of nothing: its bearer owns nothing. Never empty. */
  readonly projectId: ProjectId | null;
  /** As they are called; rules compare them in any case. */
  readonly roles: readonly string[];
  /** `all` for a token of the whole system. */
  readonly systemScope: 'all' | null;
  /** The domain that the token is scoped to, not the user's. */
  readonly domainId: string | null;
  readonly userDomainId: string | null;
  readonly projectDomainId: string | null;
  /** Of the X-Service-Token that came along; empty without one. */
  readonly serviceRoles: readonly string[];
}
