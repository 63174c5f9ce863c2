import { type Clock, type Log, type Millis, seconds } from '@novella/core';
import { endpointOf, type ServiceKind, type WhichEndpoint } from './catalog.js';
import { type Checked, type CheckOptions, checkTokens, type TokensOffered } from './check-tokens.js';
import { type Credentials, type OwnToken, OwnTokens } from './own-tokens.js';
import { TokenValidator } from './token-validator.js';
import { KeystoneTransport } from './transport.js';

export interface KeystoneOptions {
  /** `http://host:5000/v3`, `https://host/identity`: `/v3` is added where it is missing. */
  readonly authUrl: string;
  readonly credentials: Credentials;
  /** Which of a service's endpoints is taken from the catalog. */
  readonly endpoints: WhichEndpoint;
  readonly clock: Clock;
  readonly log: Log;
  readonly totalTimeout?: Millis;
}

export interface CheckerOptions extends CheckOptions {
  /** See ValidatorOptions.cacheLife. */
  readonly tokenCacheTime: Millis;
}

/** Of one cached token some hundred bytes. */
const CACHED_TOKENS = 10_000;

export interface TokenChecker {
  /** Who asks; null: a 401. Errors: keystone-unreachable, keystone-refused, keystone-answer-invalid. */
  check(offered: TokensOffered): Promise<Checked | null>;
}

/** Keystone's v3 API as a service needs it. All may fail with keystone-unreachable, -refused and -answer-invalid. */
export interface Keystone {
  /** Checks the tokens of those who ask this service. */
  tokenChecker(options: CheckerOptions): TokenChecker;
  /** A token of our own user, to show other services. */
  ownToken(): Promise<OwnToken>;
  /** Another service has answered 401 to the one of this id. */
  renewedToken(refusedId: string): Promise<OwnToken>;
  /** The URL of a service without a project, from the catalog of our own token. Error: endpoint-not-found. */
  endpoint(kind: ServiceKind): Promise<string>;
  close(): Promise<void>;
}

/** Throws a TypeError for what is no http(s) URL. Opens no connection before the first call. */
export function createKeystone(options: KeystoneOptions): Keystone {
  const { clock, log } = options;
  const url = versioned(options.authUrl);
  if (!/^https?:$/.test(new URL(url).protocol)) throw new TypeError('the URL of Keystone is no http(s) URL');
  const transport = new KeystoneTransport({
    url,
    connectTimeout: seconds(5),
    totalTimeout: options.totalTimeout ?? seconds(20),
    log,
  });
  const own = new OwnTokens(transport, options.credentials, { clock, log });
  return {
    tokenChecker({ tokenCacheTime, ...check }) {
      const limits = { cacheLife: tokenCacheTime, cacheEntries: CACHED_TOKENS };
      const validator = new TokenValidator(transport, own, { clock, log }, limits);
      return { check: (offered) => checkTokens(validator, log, check, offered) };
    },
    ownToken: () => own.current(),
    renewedToken: (refusedId) => own.renewed(refusedId),
    async endpoint(kind) {
      const { catalog, projectId } = await own.current();
      return endpointOf(catalog, kind, projectId, options.endpoints);
    },
    close: () => transport.close(),
  };
}

function versioned(authUrl: string): string {
  const bare = authUrl.replace(/\/+$/, '');
  return bare.endsWith('/v3') ? bare : `${bare}/v3`;
}
