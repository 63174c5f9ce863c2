import type { ClientOf, CommandToken, conductorRpc, MessageFacts, Outcome } from '@novella/contracts';
import { type HostName, type Log, NovellaError, toErrorRecord } from '@novella/core';
import type { Claim, EffectLocks } from './effect-locks.js';
import type { Step } from './host-io.js';
import type { Journal, Scope } from './journal.js';

export interface CommandsIo {
  readonly host: HostName;
  readonly journal: Journal;
  readonly locks: EffectLocks;
  readonly conductor: Pick<ClientOf<typeof conductorRpc>, 'operation_result'>;
  readonly log: Log;
}

export interface Command {
  readonly name: string;
  readonly token: CommandToken;
  readonly scope: Scope;
  readonly claims: readonly Claim[];
}

/**
 * One command from its arrival to its acknowledgement: its fence into the journal, its locks, its flow, its result to
 * the conductor. The fence is noted before the locks are waited for, so that a command that already runs and was
 * overtaken stops at its next step. Resolves after the broker has confirmed the result; when it rejects, nothing was
 * reported and the command must come again (each flow may be run again).
 */
export async function runCommand(
  io: CommandsIo,
  command: Command,
  message: MessageFacts,
  flow: (step: Step) => Promise<Outcome>,
): Promise<void> {
  const { name, token, scope } = command;
  const facts = { command: name, requestId: message.requestId, ...token, ...scope };
  io.log.debug('command taken', facts);
  const outcome = await outcomeOf(io, command, flow, facts);
  await io.conductor.operation_result({ host: io.host, token, outcome });
  io.log.info('command ended and reported', { ...facts, status: outcome.status });
}

async function outcomeOf(
  io: CommandsIo,
  { token, scope, claims }: Command,
  flow: (step: Step) => Promise<Outcome>,
  facts: Readonly<Record<string, unknown>>,
): Promise<Outcome> {
  if ((await io.journal.admit(scope, token.fence)) === 'stale') return { status: 'stale' };
  const step: Step = async (effect) => {
    await io.journal.check(scope, token.fence);
    return effect();
  };
  return io.locks.run(claims, async () => {
    try {
      await io.journal.check(scope, token.fence);
      return await flow(step);
    } catch (error) {
      if (error instanceof NovellaError && error.code === 'command-stale') return { status: 'stale' };
      io.log.error('command failed', { ...facts, error });
      return { status: 'failed', error: toErrorRecord(error) };
    }
  });
}
