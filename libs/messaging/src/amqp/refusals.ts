import { NovellaError } from '@novella/core';
import { unreachable } from '../unreachable.js';

/** The reply codes of AMQP that close a channel (amqp0-9-1 specification, 1.2). */
export const REFUSED = { access: 403, notFound: 404, locked: 405, precondition: 406 } as const;
/** The code with which RabbitMQ ends a connection when something of its own has failed. */
export const INTERNAL_ERROR = 541;

/** The code with which the broker closed the channel; null when it was something else, a lost connection for one. */
export function replyCode(thrown: unknown): number | null {
  if (!(thrown instanceof Error) || !('code' in thrown)) return null;
  return typeof thrown.code === 'number' ? thrown.code : null;
}

const INEQUIVALENT =
  /inequivalent arg '([^']+)' for (queue|exchange) '([^']*)'.*?received (?:the value )?'?([^']*?)'?(?: of type '[^']*')? but current is (?:the value )?'?([^']*?)'?(?: of type '[^']*')?"?$/;

/** What the broker has is not what was wanted: names the argument, both values and the two ways to mend it. */
export function refusedArgument(what: string, cause: Error): NovellaError {
  const [, argument = '', , , wanted = '', found = ''] = INEQUIVALENT.exec(cause.message) ?? [];
  const difference = argument === '' ? 'in another way' : `with ${argument} = ${found}, and we want ${wanted}`;
  const mend = `delete the ${what} when it is empty, or set what its other users declare to the same`;
  const facts = { what, argument, found, wanted };
  return new NovellaError('broker-refused', `the broker has the ${what} ${difference}: ${mend}`, facts, { cause });
}

export const missing = (what: string, cause: unknown): NovellaError =>
  new NovellaError(
    'broker-refused',
    `the broker has no ${what} and this user may not make it: make it with a user who may, or grant the permission`,
    { what },
    { cause },
  );

export const nameTaken = (queue: string, cause?: unknown): NovellaError =>
  new NovellaError('host-name-taken', `another connection holds ${queue}`, { queue }, { cause });

/** Any other failure of a request to the broker. */
export function failedRequest(what: string, thrown: unknown): NovellaError {
  if (thrown instanceof NovellaError) return thrown;
  const code = replyCode(thrown);
  if (code === REFUSED.access) {
    return new NovellaError('broker-refused', `this user may not ${what}`, { what }, { cause: thrown });
  }
  return unreachable(`the broker did not ${what}`, code === null ? {} : { replyCode: code }, thrown);
}
