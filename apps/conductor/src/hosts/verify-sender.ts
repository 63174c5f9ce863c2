import type { MessageFacts } from '@novella/contracts';
import { type HostName, NovellaError } from '@novella/core';

/**
 * Who may say what: the broker has checked the AMQP user that a message names, and each host has a user of its own, so
 * what a host says about another host, or a stranger about any, is told apart. Error: sender-refused.
 */
export function onlyFromHost(host: HostName, { userId }: Pick<MessageFacts, 'userId'>): void {
  refuseUnless(`compute-${host}`, userId);
}

/** What an administrator has asked of the API. Error: sender-refused. */
export function onlyFromApi({ userId }: Pick<MessageFacts, 'userId'>): void {
  refuseUnless('nova-api', userId);
}

function refuseUnless(expected: string, userId: string | null): void {
  if (userId === expected) return;
  throw new NovellaError('sender-refused', 'the message is not from whom it speaks for', { expected, userId });
}
