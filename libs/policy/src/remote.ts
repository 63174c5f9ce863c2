import { type Log, type Millis, toErrorRecord } from '@novella/core';
import type { RemoteQuestion } from './compile.js';

export interface RemoteOptions {
  /** How the question is posted ([oslo_policy] remote_content_type). */
  readonly contentType: 'application/x-www-form-urlencoded' | 'application/json';
  readonly timeout: Millis;
}

/** Whether the other server allows it. Rejects when it does not answer. */
export type AskRemote = (question: RemoteQuestion) => Promise<boolean>;

/**
 * Asks by POST; the answer `True`, in quotes or not, allows. Mirrors oslo.policy:oslo_policy/_external.py. Another status
 * than 2xx denies, and redirects are not followed. Rejects when the server does not answer in time.
 */
export function httpAskRemote({ contentType, timeout }: RemoteOptions, log: Log): AskRemote {
  return async ({ url, rule, target, credentials }) => {
    const body =
      contentType === 'application/json'
        ? JSON.stringify({ rule, target, credentials })
        : new URLSearchParams({
            rule: JSON.stringify(rule),
            target: JSON.stringify(target),
            credentials: JSON.stringify(credentials),
          });
    try {
      const answer = await fetch(url, {
        method: 'POST',
        headers: { 'content-type': contentType },
        body,
        redirect: 'manual',
        signal: AbortSignal.timeout(timeout),
      });
      const text = await answer.text();
      return answer.ok && text.replace(/^"+|"+$/g, '') === 'True';
    } catch (error) {
      log.error('the policy server does not answer', { rule, url, error: toErrorRecord(error) });
      throw error;
    }
  };
}
