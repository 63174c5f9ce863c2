import type { Log } from '@novella/core';
import { type AskedFor, isAllowed } from './access-rules.js';
import type { ValidatedToken } from './answers.js';
import type { TokenValidator } from './token-validator.js';

/** A request as far as its authentication goes. */
export interface TokensOffered extends AskedFor {
  /** X-Auth-Token */
  readonly userToken: string | undefined;
  /** X-Service-Token */
  readonly serviceToken: string | undefined;
}

export interface CheckOptions {
  /** What this service is called in the catalog: `compute`. */
  readonly serviceType: string;
  /** What makes a token a service's: one of these roles. */
  readonly serviceTokenRoles: readonly string[];
  /** A service token without such a role is refused; else it counts, but for nothing more than who it is. */
  readonly serviceTokenRolesRequired: boolean;
}

export interface Checked {
  readonly user: ValidatedToken;
  /** null without a service token. */
  readonly service: ValidatedToken | null;
}

/**
 * Who asks, or null: then it is a 401. Mirrors keystonemiddleware:auth_token/__init__.py process_request, but that only
 * a token with a service role lifts an application credential's access rules; there any does where roles are not
 * required. Errors: those of TokenValidator.validate.
 */
export async function checkTokens(
  validator: Pick<TokenValidator, 'validate'>,
  log: Log,
  options: CheckOptions,
  offered: TokensOffered,
): Promise<Checked | null> {
  const serviceToken = given(offered.serviceToken);
  const userToken = given(offered.userToken);
  const service = serviceToken === null ? null : await validator.validate(serviceToken);
  if (serviceToken !== null && service === null) return rejected(log, 'the service token is not valid');
  const isService = service !== null && service.roles.some((role) => options.serviceTokenRoles.includes(role));
  if (service !== null && !isService && options.serviceTokenRolesRequired) {
    return rejected(log, 'the service token has no service role');
  }
  if (userToken === null) return rejected(log, 'there is no token');
  const user = await validator.validate(userToken, isService);
  if (user === null) return rejected(log, 'the token is not valid');
  const why = whyRestricted(user, isService, options.serviceType, offered);
  return why === null ? { user, service } : rejected(log, why);
}

function whyRestricted(
  { restriction }: ValidatedToken,
  isService: boolean,
  serviceType: string,
  asked: AskedFor,
): string | null {
  if (restriction === null) return null;
  if (!restriction.services.includes(serviceType)) return 'a restricted token, and its catalog does not have us';
  // A service passes on what a user was allowed to ask of it.
  if (isService || isAllowed(restriction.rules, serviceType, asked)) return null;
  return "the request is not among the token's access rules";
}

function rejected(log: Log, why: string): null {
  log.debug('unauthenticated', { why });
  return null;
}

function given(token: string | undefined): string | null {
  const trimmed = token?.trim() ?? '';
  return trimmed === '' ? null : trimmed;
}
