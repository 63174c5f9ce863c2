import type { FuzzAnswer } from './judge.js';
import type { FuzzRequest } from './requests.js';

/** A finding as people read it. */
export function told(
  mistakes: readonly string[],
  request: FuzzRequest,
  answer: FuzzAnswer,
  logged: readonly unknown[],
): string {
  const { operation, payload, ...sent } = request;
  return [
    `${nameOf(operation)}: ${mistakes.join('; ')}`,
    JSON.stringify(sent).slice(0, 1000),
    `body: ${payload?.toString().slice(0, 500) ?? 'none'}`,
    `${answer.code} ${JSON.stringify(answer.headers)} ${answer.text.slice(0, 500)}`,
    JSON.stringify(logged.map(errorText)).slice(0, 1500),
  ].join('\n');
}

export const nameOf = ({ route, action }: FuzzRequest['operation']): string =>
  `${route.method} ${route.url}${action === null ? '' : ` ${action}`}`;

export function errorText(facts: unknown): unknown {
  const { error } = facts as { error?: unknown };
  if (!(error instanceof Error)) return facts;
  const cause = error.cause instanceof Error ? ` caused by ${error.cause.message}` : '';
  return `${error.stack?.split('\n').slice(0, 6).join(' | ') ?? ''}${cause}`;
}
