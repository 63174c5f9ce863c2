import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { PARSED, type Parsed } from '../../apps/nova-api/src/http/parse-request.js';
import { AUTHORIZED } from '../../apps/nova-api/src/http/policy.js';

/** What a request was read with and which rules it was asked by, in order. Only one request may be under way. */
export interface Observed {
  readonly parsed: readonly Parsed[];
  readonly rules: readonly string[];
}

export async function observed<T>(work: () => Promise<T>): Promise<Observed & { readonly answer: T }> {
  const parsed: Parsed[] = [];
  const rules: string[] = [];
  const onParsed = (message: unknown): unknown => parsed.push(message as Parsed);
  const onAuthorized = (message: unknown): unknown => rules.push(message as string);
  subscribe(PARSED, onParsed);
  subscribe(AUTHORIZED, onAuthorized);
  try {
    return { answer: await work(), parsed, rules };
  } finally {
    unsubscribe(PARSED, onParsed);
    unsubscribe(AUTHORIZED, onAuthorized);
  }
}
