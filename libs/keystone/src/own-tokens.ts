import { type Clock, type Log, millis, type Millis, NovellaError, type ProjectId, seconds } from '@novella/core';
import { issuedToken } from './answers.js';
import type { Catalog } from './catalog.js';
import type { KeystoneTransport } from './transport.js';

/** What this service proves itself with; both lead to a token of one project. Domains and project are names. */
export type Credentials =
  | {
      readonly kind: 'password';
      readonly username: string;
      readonly userDomain: string;
      readonly password: string;
      readonly project: string;
      readonly projectDomain: string;
    }
  | { readonly kind: 'application-credential'; readonly id: string; readonly secret: string };

export interface OwnToken {
  readonly id: string;
  readonly projectId: ProjectId;
  readonly catalog: Catalog;
}

interface Held {
  readonly token: OwnToken;
  /** On the monotonic clock: how far Keystone's time of day is from ours does not matter. */
  readonly renewFrom: number;
  readonly endsAt: number;
}

/** keystoneauth's: a token that is given out lives for so long, where tokens live long enough for that. */
const LEAST_LIFE = seconds(120);
const PAUSE_AFTER_FAILURE = seconds(5);

/**
 * The tokens of this service's own user: one for all who ask, renewed before it expires while the old one still serves.
 * Errors of both methods: keystone-unreachable, keystone-answer-invalid, keystone-refused (wrong credentials).
 */
export class OwnTokens {
  private held: Held | null = null;
  private pending: Promise<OwnToken> | null = null;
  private renewNotBefore = Number.NEGATIVE_INFINITY;

  constructor(
    private readonly transport: KeystoneTransport,
    private readonly credentials: Credentials,
    private readonly io: { readonly clock: Clock; readonly log: Log },
  ) {}

  async current(): Promise<OwnToken> {
    const now = this.io.clock.monotonic();
    if (this.held === null || now >= this.held.endsAt) return this.issue();
    if (now >= this.held.renewFrom) this.renewMeanwhile(now);
    return this.held.token;
  }

  /** A service has answered 401 to the token of that id: another one, unless there is a newer one already. */
  async renewed(refusedId: string): Promise<OwnToken> {
    if (this.held?.token.id === refusedId) this.held = null;
    return this.current();
  }

  private renewMeanwhile(now: Millis): void {
    if (this.pending !== null || now < this.renewNotBefore) return;
    this.issue().catch((error: unknown) => {
      this.renewNotBefore = this.io.clock.monotonic() + PAUSE_AFTER_FAILURE;
      this.io.log.warn('our own token could not be renewed yet', { error });
    });
  }

  private issue(): Promise<OwnToken> {
    this.pending ??= this.askKeystone().finally(() => (this.pending = null));
    return this.pending;
  }

  private async askKeystone(): Promise<OwnToken> {
    const asked = this.io.clock.monotonic();
    const { status, json, subjectToken, message } = await this.transport.send({
      name: 'issueToken',
      method: 'POST',
      path: '/auth/tokens',
      headers: {},
      body: { auth: authRequest(this.credentials) },
    });
    if (status >= 400) {
      const facts = { status, keystoneMessage: (message ?? '').slice(0, 1000) };
      throw new NovellaError('keystone-refused', "Keystone does not accept this service's credentials", facts);
    }
    if (subjectToken === null) throw new NovellaError('keystone-answer-invalid', 'Keystone gave no token');
    const { lifetime, ...rest } = issuedToken(json);
    const token = { id: subjectToken, ...rest };
    const endsAt = asked + lifetime;
    this.held = { token, endsAt, renewFrom: millis(endsAt - Math.min(LEAST_LIFE, lifetime / 5)) };
    return token;
  }
}

function authRequest(credentials: Credentials): object {
  switch (credentials.kind) {
    case 'password': {
      const { username, userDomain, password, project, projectDomain } = credentials;
      const user = { name: username, domain: { name: userDomain }, password };
      return {
        identity: { methods: ['password'], password: { user } },
        scope: { project: { name: project, domain: { name: projectDomain } } },
      };
    }
    case 'application-credential': {
      const { id, secret } = credentials;
      return { identity: { methods: ['application_credential'], application_credential: { id, secret } } };
    }
  }
}
