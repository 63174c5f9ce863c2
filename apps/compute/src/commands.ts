import type { ClientOf, CommandToken, conductorRpc, MessageFacts, Outcome } from '@novella/contracts';
import { type HostName, type Log, type Millis, NovellaError, toErrorRecord } from '@novella/core';
import type { CommandInWork, CommandsInWork } from './commands-in-work.js';
import type { Claims, EffectLocks, Lane } from './effect-locks.js';
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
  readonly claims: Claims;
  readonly lane?: Lane;
  /** After so long it is reported as failed, whatever it still does. */
  readonly limit: Millis;
}

export type CommandFlow = (step: Step, signal: AbortSignal) => Promise<Outcome>;

/**
 * One command from its arrival to its acknowledgement: its fence into the journal, its locks, its flow, its result to
 * the conductor. The fence is noted before the locks are waited for, so that a command that already runs and was
 * overtaken stops at its next step. Resolves after the broker has confirmed the result; when it rejects, nothing was
 * reported and the command must come again (each flow may be run again).
 */
export async function runCommand(
  io: CommandsIo,
  inWork: CommandsInWork,
  command: Command,
  message: MessageFacts,
  flow: CommandFlow,
): Promise<void> {
  const { name, token, scope } = command;
  const facts = { command: name, requestId: message.requestId, ...token, ...scope };
  io.log.debug('command taken', facts);
  const failed = (error: unknown): Outcome => {
    if (error instanceof NovellaError && error.code === 'command-stale') return { status: 'stale' };
    io.log.error('command failed', { ...facts, error });
    return { status: 'failed', error: toErrorRecord(error) };
  };
  const outcome = await outcomeOf(io, inWork, command, flow, failed);
  await io.conductor.operation_result({ host: io.host, token, outcome });
  io.log.info('command ended and reported', { ...facts, status: outcome.status });
}

async function outcomeOf(
  io: CommandsIo,
  inWork: CommandsInWork,
  { token, scope, claims, lane, limit }: Command,
  flow: CommandFlow,
  failed: (error: unknown) => Outcome,
): Promise<Outcome> {
  if ((await io.journal.admit(scope, token.fence)) === 'stale') return { status: 'stale' };
  const work = inWork.begin(scope, token.fence, limit);
  const step: Step = async (effect) => {
    work.givenUp.throwIfAborted();
    await io.journal.check(scope, token.fence);
    return effect();
  };
  const inItsTurn = async (): Promise<Outcome> => {
    work.started();
    try {
      return await step(() => flow(step, work.signal));
    } catch (error) {
      if (isHandedBack(work, error)) throw error;
      return failed(error);
    }
  };
  try {
    return await io.locks.run(claims, inItsTurn, work.givenUp, lane);
  } catch (error) {
    // What the locks refuse, and a wait that the stopping process has ended, was not done and comes again.
    if (!work.givenUp.aborted || error !== work.givenUp.reason) throw error;
    return failed(error);
  } finally {
    work.end();
  }
}

const isHandedBack = ({ signal, givenUp }: CommandInWork, error: unknown): boolean =>
  signal.aborted && !givenUp.aborted && error === signal.reason;
