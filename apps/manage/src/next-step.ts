import { assertNever, type WaitingFor } from '@novella/core';
import type { Operation, Standing } from '@novella/persistence';

/** An operation, and what else the store has told of it. */
export type Shown = Operation & Partial<Omit<Standing, keyof Operation>>;

/** What happens next with it, by itself, in a sentence. */
export function nextStep(shown: Shown): string {
  const { state, waitingFor, claim } = shown;
  if (claim !== null && claim !== undefined) {
    return `${claim.by} works on it now; should that end without a word, another conductor takes it up at ${iso(claim.until)}`;
  }
  switch (state) {
    case 'queued':
      return 'the next conductor that is free takes it up';
    case 'dispatched':
      return afterDispatch(shown);
    case 'waiting':
      return `${waitingFor === null ? 'its time comes' : wakeUp(waitingFor, shown)}${lookedAtAgain(shown)}`;
    case 'succeeded':
    case 'failed':
      return 'nothing: it has ended';
    default:
      return assertNever(state);
  }
}

/** Who is to act: a conductor by its lease, a host by its deadline, or whichever conductor is free; null: it has ended. */
export function ownerOf({ state, claim, host, deadline }: Shown): string | null {
  if (claim !== null && claim !== undefined) return `${claim.by} until ${iso(claim.until)}`;
  switch (state) {
    case 'queued':
    case 'waiting':
      return 'any conductor';
    case 'dispatched':
      return `${host ?? '?'} until ${deadline === null ? '?' : iso(deadline)}`;
    case 'succeeded':
    case 'failed':
      return null;
    default:
      return assertNever(state);
  }
}

/**
 * Since when it stands as it does, for the same reason. The timeline keeps its last entries alone: when all of them say
 * the same it may have stood so for longer (`orLonger`). null without a timeline.
 */
export function standsSince({ timeline }: Pick<Operation, 'timeline'>): { at: string; orLonger: boolean } | null {
  const last = timeline.at(-1);
  if (last === undefined) return null;
  const changedBefore = timeline.findLastIndex(({ state, note }) => state !== last.state || note !== last.note);
  const first = timeline[changedBefore + 1] ?? last;
  return { at: first.at, orLonger: changedBefore === -1 && timeline.length > 1 };
}

function afterDispatch(shown: Shown): string {
  const { deadline, readAt, hostState } = shown;
  const host = `host ${shown.host ?? '?'}`;
  if (deadline !== null && readAt !== undefined && deadline <= readAt) {
    return `${host} has not answered in time: a conductor asks it what it has done`;
  }
  const limit = deadline === null ? '' : ` after ${iso(deadline)}`;
  if (hostState !== undefined && hostState?.up === false) {
    return `${host} is down: it finds the command when it is back, and is asked what it has done${limit}`;
  }
  return `${host} carries out the command and answers; without an answer it is asked what it has done${limit}`;
}

function wakeUp(waitingFor: WaitingFor, shown: Shown): string {
  switch (waitingFor) {
    case 'api':
      return 'nova-api confirms what it reserved at Cinder; what is not confirmed is undone';
    case 'host':
      return hostReturns(shown.hostState ?? null);
    case 'server-task':
      return 'another operation of the server or the volume is under way: goes on when that has ended';
    case 'migration':
      return 'the guest is busy with a migration, a backup or a block job: goes on after it';
    case 'paths':
      return 'paths of the volume are missing on the host: goes on when they are back';
    case 'cinder':
      return 'Cinder does not answer as it should: goes on at its first good answer';
    case 'guest-start':
      return 'nothing can be done while the server is suspended: goes on when it is resumed';
    case 'retry':
      return `it has failed ${shown.failures} times in a row: tried again`;
    default:
      return assertNever(waitingFor);
  }
}

function hostReturns(at: Standing['hostState']): string {
  if (at === null) return 'its host is away: goes on at its next report';
  if (at.forcedDown) return `host ${at.host} is forced down: goes on at its first report after that is lifted`;
  if (at.up) return `host ${at.host} could not take the command: it is up, and is sent it again`;
  const last = at.lastReportAt === null ? '' : `, last heard of at ${iso(at.lastReportAt)}`;
  return `host ${at.host} is down${last}: goes on at its next report`;
}

function lookedAtAgain({ nextAt, readAt }: Shown): string {
  if (nextAt === null) return '';
  if (readAt !== undefined && nextAt <= readAt) return ', due now: the next conductor that is free looks at it';
  return `, looked at again at ${iso(nextAt)}`;
}

const iso = (time: Date): string => time.toISOString();
