import { type Log, NovellaError } from '@novella/core';
import type { Checked, Keystone, TokenChecker } from '@novella/keystone';
import { reasonOf } from '@novella/service-kit';
import type { Authenticated, Authenticator, AuthenticRequest } from './authenticator.js';
import { webobAnswer } from './fault.js';
import type { Identity } from './identity.js';

export interface KeystoneAuthenticatorIo {
  readonly checker: TokenChecker;
  readonly keystone: Pick<Keystone, 'ownToken'>;
  readonly log: Log;
}

/** Answers as keystonemiddleware:auth_token/__init__.py does. `wwwAuthenticateUri`: where a user gets a token. */
export function keystoneAuthenticator(io: KeystoneAuthenticatorIo, wwwAuthenticateUri: string): Authenticator {
  const challenge = `Keystone uri="${wwwAuthenticateUri}"`;
  const standing = new Standing(io.log);
  return {
    challenge,
    async trouble() {
      await io.keystone.ownToken();
      return standing.trouble;
    },
    async authenticate(request) {
      let checked: Checked | null;
      try {
        checked = await io.checker.check({ ...request, userToken: request.token });
        standing.answered();
      } catch (error) {
        if (!(error instanceof NovellaError)) throw error;
        standing.failed(error);
        return unavailable(request);
      }
      const token = request.token?.trim() ?? '';
      return checked === null ? unauthorized(challenge) : { kind: 'identified', identity: identityOf(checked), token };
    },
  };
}

/** Whether Keystone answered the last time; told once for each reason, and once when it is over. */
class Standing {
  trouble: string | null = null;

  constructor(private readonly log: Log) {}

  answered(): void {
    if (this.trouble !== null) this.log.info('Keystone says again who asks');
    this.trouble = null;
  }

  failed(error: NovellaError): void {
    const reason = reasonOf(error);
    if (reason !== this.trouble) this.log.error('Keystone cannot say who asks', { error });
    this.trouble = reason;
  }
}

function unauthorized(challenge: string): Authenticated {
  const message = 'The request you have made requires authentication.';
  return {
    kind: 'answered',
    status: 401,
    headers: { 'Content-Type': 'application/json', 'WWW-Authenticate': challenge },
    body: JSON.stringify({ error: { code: 401, title: 'Unauthorized', message } }),
  };
}

function unavailable({ header }: AuthenticRequest): Authenticated {
  const { contentType, body } = webobAnswer(503, header('accept'), 'The Keystone service is temporarily unavailable.');
  return { kind: 'answered', status: 503, headers: { 'Content-Type': contentType }, body };
}

function identityOf({ user, service }: Checked): Identity {
  return {
    userId: user.userId,
    projectId: user.projectId,
    roles: user.roles,
    systemScope: user.systemScope,
    domainId: user.domainId,
    userDomainId: user.userDomainId,
    projectDomainId: user.projectDomainId,
    serviceRoles: service?.roles ?? [],
  };
}
