import { type Clock, type Millis, NovellaError } from '@novella/core';
import type { Scope } from './journal.js';

/** A command that is in work on this host. */
export interface CommandInWork {
  /** For what waits inside its flow: aborted when it is given up, and when the process stops. */
  readonly signal: AbortSignal;
  /** Aborted when nobody waits for its end any more: a newer command has come, or its time is over. */
  readonly givenUp: AbortSignal;
  /** From now on it is the host that takes its time, and no longer an earlier command. */
  started(): void;
  end(): void;
}

interface Entry {
  readonly scope: Scope;
  readonly fence: number;
  readonly giveUp: (reason: NovellaError) => void;
  readonly stopWaiting: (reason: unknown) => void;
}

/**
 * The commands in work, so that none holds a delivery for longer than its time: not when the hypervisor never answers,
 * and not when a newer command has made it pointless.
 */
export class CommandsInWork {
  readonly #entries = new Set<Entry>();

  /** `stopping` is aborted when the process stops. */
  constructor(
    private readonly clock: Clock,
    private readonly stopping: AbortSignal,
  ) {
    stopping.addEventListener('abort', () => {
      for (const { stopWaiting } of this.#entries) stopWaiting(stopping.reason);
    });
  }

  /** Of a command that was admitted: those that it has overtaken are given up. */
  begin(scope: Scope, fence: number, limit: Millis): CommandInWork {
    for (const other of this.#entries) if (overtakes({ scope, fence }, other)) other.giveUp(overtaken(other.fence));
    const waits = new AbortController();
    const givenUp = new AbortController();
    const over = new AbortController();
    let started = false;
    const entry: Entry = {
      scope,
      fence,
      stopWaiting: (reason) => waits.abort(reason),
      giveUp: (reason) => {
        givenUp.abort(reason);
        waits.abort(reason);
      },
    };
    this.#entries.add(entry);
    if (this.stopping.aborted) entry.stopWaiting(this.stopping.reason);
    this.clock.sleep(limit, over.signal).then(
      () => entry.giveUp(tooLate(limit, started)),
      () => undefined,
    );
    return {
      signal: waits.signal,
      givenUp: givenUp.signal,
      started: () => (started = true),
      end: () => {
        this.#entries.delete(entry);
        over.abort();
      },
    };
  }
}

type Fenced = Pick<Entry, 'scope' | 'fence'>;

/** As the journal's fences: a command for the server counts against those for its volumes, not the other way round. */
const overtakes = (newer: Fenced, older: Fenced): boolean =>
  newer.fence > older.fence &&
  newer.scope.server === older.scope.server &&
  (newer.scope.volume === null || newer.scope.volume === older.scope.volume);

const overtaken = (fence: number): NovellaError =>
  new NovellaError('command-stale', 'a newer command has come for this server or volume', { fence });

function tooLate(limitMs: Millis, started: boolean): NovellaError {
  return started
    ? new NovellaError('hypervisor-unreachable', 'the host did not answer within the time of the command', { limitMs })
    : new NovellaError('guest-busy', 'an earlier command for the server or volume has not ended', { limitMs });
}
