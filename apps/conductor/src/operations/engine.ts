import type { OperationResult } from '@novella/contracts';
import { type Millis, millis, type OperationId, seconds } from '@novella/core';
import type { Operation } from '@novella/persistence';
import { LEASE, type TurnIo, Turns } from './turns.js';

export interface EngineOptions {
  /** Names this conductor in claims: no two that run at the same time, and the same again after a restart. */
  readonly name: string;
  /** Operations that may be worked on at once. */
  readonly concurrency: number;
  /** The longest time between two looks for due operations, hints or not. */
  readonly sweep: Millis;
}

const STORE_AWAY = seconds(1);
/** What is due but cannot be claimed is locked by somebody at this moment. */
const SHORTEST_PAUSE = millis(10);
/** A reason of its own saves making an error, with its stack, at each hint. */
const AWAKE = 'awake';

/**
 * The operation engine. An operation's row is the truth; a turn of the engine claims one, reads its facts, decides, and
 * carries out the plan with writes that name the version they rest on. Whoever loses such a race drops what it was
 * doing: the winner goes on. No lock and no transaction is held while something is awaited.
 *
 *   queued --claim--> decide --+--> dispatched --answer or deadline--> decide
 *      ^                       +--> waiting ----wake-up or next_at---> decide
 *      +-- more was requested -+--> succeeded | failed
 */
export class Engine {
  private readonly turns: Turns;
  private readonly working = new Set<Promise<void>>();
  /** Claimed and in a turn here; who is in it twice is in two. */
  private readonly inTurns: OperationId[] = [];
  /** A lease of ours may be on an operation that nobody here works on: the store was away when that ended, or began. */
  private mayHoldMore = false;
  private readonly stopping = new AbortController();
  private nap = new AbortController();
  private hinted = false;
  private loop: Promise<void> = Promise.resolve();

  constructor(
    private readonly io: TurnIo,
    private readonly options: EngineOptions,
  ) {
    this.turns = new Turns(io);
  }

  start(): void {
    this.loop = this.run();
  }

  /** Takes nothing new and waits for what is under way. */
  async stop(): Promise<void> {
    this.stopping.abort();
    this.nap.abort(AWAKE);
    await this.loop;
    await Promise.all(this.working);
  }

  /** Something may be due now. */
  hint(): void {
    this.hinted = true;
    this.nap.abort(AWAKE);
  }

  /** A host's answer to a command. Resolves when it is recorded; rejects while it cannot be (the store is away). */
  async answer({ host, token, outcome }: OperationResult): Promise<void> {
    const { operation: id, attempt, fence } = token;
    await this.inTurn(id, async () => {
      const operation = await this.io.store.claimForResult(
        { operation: id, attempt, fence, host },
        this.options.name,
        LEASE,
      );
      if (operation === null) {
        this.io.log.info('an answer that nobody waits for', { operation: id, attempt, host, status: outcome.status });
        return;
      }
      await this.turns.run(operation, outcome);
      this.hint();
    });
  }

  private async run(): Promise<void> {
    await this.takeOverFromLastRun();
    while (!this.stopping.signal.aborted) {
      await this.sleep(await this.claimAndStart());
      await this.giveBack();
    }
  }

  /** Whoever had this name before has ended: its leases need not be waited for. Without it they run out by themselves. */
  private async takeOverFromLastRun(): Promise<void> {
    try {
      const interrupted = await this.io.store.takeOver({ claimedBy: this.options.name });
      if (interrupted > 0) this.io.log.info('operations of the last run go on', { interrupted });
    } catch (error) {
      this.io.log.warn('operations of the last run cannot be taken over yet', { error });
      this.mayHoldMore = true;
    }
  }

  /** A turn that was cut short, and a claim whose answer was lost, would else wait for the lease to end. */
  private async giveBack(): Promise<void> {
    if (!this.mayHoldMore || this.stopping.signal.aborted) return;
    this.mayHoldMore = false;
    const except = this.inTurns.length === 0 ? {} : { except: [...this.inTurns] };
    try {
      const interrupted = await this.io.store.takeOver({ claimedBy: this.options.name, ...except });
      if (interrupted > 0) this.io.log.info('operations that were cut short go on', { interrupted });
    } catch {
      this.mayHoldMore = true;
    }
  }

  private async inTurn(operation: OperationId, work: () => Promise<void>): Promise<void> {
    this.inTurns.push(operation);
    try {
      await work();
    } catch (error) {
      this.mayHoldMore = true;
      throw error;
    } finally {
      this.inTurns.splice(this.inTurns.indexOf(operation), 1);
    }
  }

  /** Starts what is due; answers how long nothing more can be. */
  private async claimAndStart(): Promise<Millis> {
    const free = this.options.concurrency - this.working.size;
    if (free <= 0) return this.options.sweep;
    try {
      const claimed = await this.io.store.claimDue(this.options.name, LEASE, free);
      for (const operation of claimed) this.begin(operation);
      if (claimed.length === free) return millis(0);
      const next = await this.io.store.nextDueIn();
      return millis(Math.max(SHORTEST_PAUSE, Math.min(next ?? this.options.sweep, this.options.sweep)));
    } catch (error) {
      this.io.log.error('operations cannot be claimed', { error });
      this.mayHoldMore = true;
      return STORE_AWAY;
    }
  }

  private begin(operation: Operation): void {
    const work = this.inTurn(operation.id, () => this.turns.run(operation, null))
      .catch((error: unknown) => {
        // Whoever claims the operation next goes on from its row.
        this.io.log.error('a turn was cut short', { operation: operation.id, kind: operation.kind, error });
      })
      .finally(() => {
        this.working.delete(work);
        this.hint();
      });
    this.working.add(work);
  }

  /** A hint that came while claiming means that the claim may have missed it: then there is no pause. */
  private async sleep(pause: Millis): Promise<void> {
    if (!this.hinted && !this.stopping.signal.aborted && pause > 0) {
      this.nap = new AbortController();
      await this.io.clock.sleep(pause, this.nap.signal).catch(() => undefined);
    }
    this.hinted = false;
  }
}
