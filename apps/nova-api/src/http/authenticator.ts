import type { HealthCheck } from '@novella/service-kit';
import type { Identity } from './identity.js';

/** Says who asks. Two strategies: noauth2.ts, which believes, and keystone-authenticator.ts, which asks. */
export interface Authenticator {
  authenticate(request: AuthenticRequest): Promise<Authenticated>;
  /** The WWW-Authenticate that goes with every 401, whoever answers it; null: none. */
  readonly challenge: string | null;
  /** Asked by the health what keeps it from knowing who asks; null where nothing ever does. */
  readonly trouble: HealthCheck | null;
}

/** What of a request says who asks. All other headers about identity are a caller's own invention and never read. */
export interface AuthenticRequest {
  readonly method: string;
  /** As it was asked for, without its query. */
  readonly path: string;
  /** X-Auth-Token, else X-Storage-Token. */
  readonly token: string | undefined;
  /** X-Service-Token */
  readonly serviceToken: string | undefined;
  readonly header: (name: string) => string | undefined;
  /** `http://host/v2.1`: the API itself, at the version that was asked for. */
  readonly versionUrl: string;
}

export type Authenticated =
  | { readonly kind: 'identified'; readonly identity: Identity; readonly token: string }
  /** The strategy answers by itself, and the request ends there. */
  | {
      readonly kind: 'answered';
      readonly status: 204 | 401 | 503;
      readonly headers: Readonly<Record<string, string>>;
      readonly body: string | null;
    };
