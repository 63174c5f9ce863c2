import type { Microversion } from '../../apps/nova-api/src/http/microversion.js';
import type { KnownValues } from './known-values.js';
import type { RequestClass } from './request-schema.js';
import type { Route } from './routes.js';

/**
 * What the API does, found out by asking it: for each route, and each action of those whose body names one, at which
 * microversions it is there, which classes its body and query are read with, which rules guard it, and what a request
 * that it carries out looks like. Nothing here knows a route by name.
 */
export interface Operation {
  readonly route: Route;
  /** The one key of the body, where that says what to do. */
  readonly action: string | null;
  /** In order; of the microversions at which it is there. A route without a version has one. */
  readonly stretches: readonly Stretch[];
  /** That were asked when it was carried out, the guard first. */
  readonly rules: readonly string[];
  /** What was answered when it was carried out, by code. */
  readonly successes: ReadonlyMap<number, AnswerKeys | null>;
  /** Requests that it carried out. */
  readonly examples: readonly Example[];
}
/** The keys of an answer, those first that were there each time. null without a body. */
export interface AnswerKeys {
  readonly always: readonly string[];
  readonly sometimes: readonly string[];
}
/** Nothing changes within. */
export interface Stretch extends Classes {
  readonly from: Microversion;
  readonly to: Microversion;
}
/** What a request is read with; null: it is not looked at. */
export interface Classes {
  readonly body: RequestClass | null;
  readonly query: RequestClass | null;
}
export interface Example {
  readonly microversion: Microversion;
  readonly parameters: readonly string[];
  /** undefined: none. */
  readonly body: unknown;
}
export interface Found {
  readonly routes: readonly Route[];
  readonly operations: readonly Operation[];
  readonly known: KnownValues;
}
