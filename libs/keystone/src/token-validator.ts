import { hash } from 'node:crypto';
import { type Clock, type Log, type Millis, NovellaError } from '@novella/core';
import { type ValidatedToken, validatedToken } from './answers.js';
import type { OwnToken, OwnTokens } from './own-tokens.js';
import { TokenCache } from './token-cache.js';
import type { Answer, KeystoneTransport } from './transport.js';

export interface ValidatorOptions {
  /** How long an answer of Keystone is believed; what was revoked meanwhile lives on for so long. 0 asks each time. */
  readonly cacheLife: Millis;
  readonly cacheEntries: number;
}

/**
 * Whom a token speaks for. Mirrors keystonemiddleware:auth_token/__init__.py fetch_token: answers are kept under a hash
 * of the token, whether it has expired is asked of each of them each time, and tokens that Keystone does not know are not
 * kept. Those who ask at the same time wait for one answer.
 */
export class TokenValidator {
  private readonly cache: TokenCache<ValidatedToken>;
  private readonly pending = new Map<string, Promise<ValidatedToken | null>>();

  constructor(
    private readonly transport: KeystoneTransport,
    private readonly own: OwnTokens,
    private readonly io: { readonly clock: Clock; readonly log: Log },
    options: ValidatorOptions,
  ) {
    this.cache = new TokenCache({ entries: options.cacheEntries, life: options.cacheLife });
  }

  /**
   * null for a token that is not valid. `allowExpired`: it may have expired, for as long as Keystone allows. Errors:
   * keystone-unreachable, keystone-answer-invalid, keystone-refused.
   */
  async validate(token: string, allowExpired = false): Promise<ValidatedToken | null> {
    const key = hash('sha256', token, 'base64');
    const known = this.cache.get(key, this.io.clock.monotonic()) ?? (await this.askOnce(key, token, allowExpired));
    if (known === null) return null;
    return allowExpired || known.expiresAt >= this.io.clock.wallTime().getTime() ? known : null;
  }

  private askOnce(key: string, token: string, allowExpired: boolean): Promise<ValidatedToken | null> {
    const what = `${key}${String(allowExpired)}`;
    const asked =
      this.pending.get(what) ?? this.askKeystone(key, token, allowExpired).finally(() => this.pending.delete(what));
    this.pending.set(what, asked);
    return asked;
  }

  private async askKeystone(key: string, token: string, allowExpired: boolean): Promise<ValidatedToken | null> {
    const own = await this.own.current();
    let answer = await this.ask(token, own, allowExpired);
    if (answer.status === 401) answer = await this.ask(token, await this.own.renewed(own.id), allowExpired);
    if (answer.status === 404) return null;
    if (answer.status >= 400) {
      const facts = { status: answer.status, keystoneMessage: (answer.message ?? '').slice(0, 1000) };
      throw new NovellaError('keystone-refused', 'Keystone does not let this service validate tokens', facts);
    }
    const validated = validatedToken(answer.json);
    this.cache.put(key, validated, this.io.clock.monotonic());
    return validated;
  }

  private ask(token: string, own: OwnToken, allowExpired: boolean): Promise<Answer> {
    return this.transport.send({
      name: 'validateToken',
      method: 'GET',
      path: `/auth/tokens${allowExpired ? '?allow_expired=1' : ''}`,
      headers: { 'X-Auth-Token': own.id, 'X-Subject-Token': token, 'OpenStack-Identity-Access-Rules': '1' },
    });
  }
}
