import type { ClientOf, CommandToken, computeRpc, OperationResult } from '@novella/contracts';
import {
  assertNever,
  type Clock,
  type ErrorRecord,
  type HostName,
  type Log,
  type Millis,
  millis,
  NovellaError,
  type OperationKind,
  type Random,
  seconds,
  toErrorRecord,
} from '@novella/core';
import type { EngineStore, HostStore, Operation } from '@novella/persistence';
import type { VolumeService } from '../volume-service.js';
import { attach } from './attach.js';
import { build } from './build.js';
import { deleteServer } from './delete.js';
import { extend } from './extend.js';
import type { Command, FlowIo, OperationFlow, Plan, StepDone, Turn } from './plan.js';
import { countedFailure, keepingReason, planForError, stepFailed } from './plans-for-errors.js';
import { powerUpdate } from './power-update.js';
import { backoff, DEADLINES, failuresBefore } from './retry.js';

/**
 * The operation engine. An operation's row is the truth; a turn of the engine claims one, reads its facts, decides, and
 * carries out the plan with writes that name the version they rest on. Whoever loses such a race drops what it was
 * doing: the winner goes on. No lock and no transaction is held while something is awaited.
 *
 *   queued --claim--> decide --+--> dispatched --answer or deadline--> decide
 *      ^                       +--> waiting ----wake-up or next_at---> decide
 *      +-- more was requested -+--> succeeded | failed
 */
export interface EngineIo {
  readonly store: EngineStore & HostStore;
  readonly volumes: VolumeService;
  /** The commands of one host. A host without a queue rejects with `rpc-no-route`. */
  readonly compute: (host: HostName) => ClientOf<typeof computeRpc>;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

export interface EngineOptions {
  /** Names this conductor in claims; unique per process. */
  readonly name: string;
  /** Operations that may be worked on at once. */
  readonly concurrency: number;
  /** The longest time between two looks for due operations, hints or not. */
  readonly sweep: Millis;
}

/** Longer than the longest call to the volume service (90 s): who holds a lease is never overtaken while it works. */
const LEASE = seconds(120);
/** A turn takes so many plans of its own steps at the most (one per volume); more would be a flow that goes in circles. */
const PLANS_PER_TURN = 64;
const HOST_RECHECK = seconds(60);
const TASK_RECHECK = seconds(5);
const BROKER_RECHECK = seconds(5);
const STORE_AWAY = seconds(1);
/** What is due but cannot be claimed is locked by somebody at this moment. */
const SHORTEST_PAUSE = millis(10);

// Facts differ by kind; a flow only ever sees what its own readFacts has read.
const FLOWS: Record<OperationKind, OperationFlow<never>> = {
  build: build as OperationFlow<never>,
  attach: attach as OperationFlow<never>,
  extend: extend as OperationFlow<never>,
  delete: deleteServer as OperationFlow<never>,
  'power-update': powerUpdate as OperationFlow<never>,
};

export class Engine {
  private readonly flowIo: FlowIo;
  private readonly working = new Set<Promise<void>>();
  private readonly stopping = new AbortController();
  private nap = new AbortController();
  private hinted = false;
  private loop: Promise<void> = Promise.resolve();

  constructor(
    private readonly io: EngineIo,
    private readonly options: EngineOptions,
  ) {
    this.flowIo = { volumes: io.volumes, computeServices: () => io.store.services('nova-compute') };
  }

  start(): void {
    this.loop = this.run();
  }

  /** Takes nothing new and waits for what is under way. */
  async stop(): Promise<void> {
    this.stopping.abort();
    this.nap.abort();
    await this.loop;
    await Promise.all(this.working);
  }

  /** Something may be due now. */
  hint(): void {
    this.hinted = true;
    this.nap.abort();
  }

  /** A host's answer to a command. Resolves when it is recorded; rejects while it cannot be (the store is away). */
  async answer({ host, token, outcome }: OperationResult): Promise<void> {
    const { operation: id, attempt, fence } = token;
    const operation = await this.io.store.claimForResult(
      { operation: id, attempt, fence, host },
      this.options.name,
      LEASE,
    );
    if (operation === null) {
      this.io.log.info('an answer that nobody waits for', { operation: id, attempt, host, status: outcome.status });
      return;
    }
    await this.turn(operation, outcome);
    this.hint();
  }

  private async run(): Promise<void> {
    while (!this.stopping.signal.aborted) await this.sleep(await this.claimAndStart());
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
      return STORE_AWAY;
    }
  }

  private begin(operation: Operation): void {
    const work = this.turn(operation, null)
      .catch((error: unknown) => {
        // The lease ends, and whoever claims the operation next goes on from its row.
        this.io.log.error('a turn was cut short', { operation: operation.id, kind: operation.kind, error });
      })
      .finally(() => {
        this.working.delete(work);
        this.hint();
      });
    this.working.add(work);
  }

  private async turn(claimed: Operation, answer: Turn['answer']): Promise<void> {
    let operation: Operation | null = claimed;
    for (let plans = 0; operation !== null && plans < PLANS_PER_TURN; plans++) {
      operation = await this.takeStep(operation, plans === 0 ? answer : null);
    }
    if (operation !== null)
      throw new NovellaError('internal', 'an operation goes in circles', { step: operation.step });
  }

  /** Reads facts, decides, carries out. Answers the operation while this turn still owns it. */
  private async takeStep(operation: Operation, answer: Turn['answer']): Promise<Operation | null> {
    const rows = await this.io.store.operationFacts(operation);
    if (rows === null) {
      await this.io.store.end(operation, { result: 'failed', error: toErrorRecord(serverRowMissing(operation)) });
      return null;
    }
    const turn: Turn = { operation, rows, answer };
    const flow = FLOWS[operation.kind];
    let plan: Plan;
    try {
      plan = flow.decide(turn, await flow.readFacts(turn, this.flowIo));
    } catch (error) {
      plan = keepingReason(planForError(error), operation);
    }
    this.io.log.debug('decided', {
      operation: operation.id,
      kind: operation.kind,
      step: operation.step,
      plan: plan.do,
    });
    return this.carryOut(plan, turn, flow);
  }

  private async carryOut(plan: Plan, turn: Turn, flow: OperationFlow<never>): Promise<Operation | null> {
    const { operation } = turn;
    const { store } = this.io;
    switch (plan.do) {
      case 'dispatch':
        return this.dispatch(plan, turn);
      case 'run':
        return this.runStep(plan, turn, flow);
      case 'place':
        return this.place(plan, turn);
      case 'wait':
        await store.wait(operation, {
          for: plan.for,
          nextIn: this.pauseFor(plan, operation),
          failed: countedFailure(plan, operation),
          ...(plan.step === undefined ? {} : { step: plan.step }),
          ...(plan.error === undefined ? {} : { error: plan.error }),
        });
        return null;
      case 'succeed': {
        const { do: _, ...end } = plan;
        await store.end(operation, { result: 'succeeded', ...end });
        return null;
      }
      case 'fail': {
        const { do: _, ...end } = plan;
        const { id, kind, serverId, volumeId } = operation;
        this.io.log.warn('an operation failed', {
          operation: id,
          kind,
          server: serverId,
          volume: volumeId,
          error: end.error,
        });
        await store.end(operation, { result: 'failed', ...end });
        return null;
      }
      default:
        return assertNever(plan);
    }
  }

  /** The intent is a row before the message exists, so a crash in between costs one deadline and nothing else. */
  private async dispatch(plan: Extract<Plan, { do: 'dispatch' }>, turn: Turn): Promise<Operation | null> {
    const { store, log } = this.io;
    let operation: Operation | null = turn.operation;
    if (plan.error !== undefined) {
      operation = await store.advance(operation, { step: plan.step ?? '', error: plan.error, lease: LEASE });
      if (operation === null) return null;
    }
    const dispatched = await store.dispatch(operation, {
      host: plan.host,
      step: plan.step,
      generation: turn.rows.instance.generation,
      deadlineIn: DEADLINES[plan.command.method],
      ...(plan.changes === undefined ? {} : { changes: plan.changes }),
    });
    if (dispatched === null) return null;
    if (dispatched === 'excluded') {
      await store.wait(operation, { for: 'server-task', nextIn: TASK_RECHECK });
      return null;
    }
    try {
      await this.send(plan.host, plan.command, tokenOf(dispatched));
    } catch (thrown) {
      const error = toErrorRecord(thrown);
      log.warn('a command was not taken', { operation: operation.id, host: plan.host, error });
      return this.notSent(dispatched, error);
    }
    await store.markSent(dispatched);
    return null;
  }

  /** Only a command that was certainly not taken is no attempt; else the host may act on it, and its fence counts. */
  private async notSent(dispatched: Operation, error: ErrorRecord): Promise<Operation | null> {
    const { store } = this.io;
    if (error.code === 'rpc-no-route') {
      await store.undoDispatch(dispatched, HOST_RECHECK);
      return null;
    }
    if (error.code === 'rpc-message-invalid') {
      const undone = await store.undoDispatch(dispatched, HOST_RECHECK);
      return undone && this.takeStep(undone, { status: 'failed', error });
    }
    await store.wait(dispatched, { for: 'host', nextIn: BROKER_RECHECK });
    return null;
  }

  private send(host: HostName, command: Command, token: CommandToken): Promise<void> {
    const client = this.io.compute(host);
    switch (command.method) {
      case 'build_instance':
        return client.build_instance({ ...command.args, token });
      case 'delete_instance':
        return client.delete_instance({ ...command.args, token });
      case 'attach_volume':
        return client.attach_volume({ ...command.args, token });
      case 'detach_volume':
        return client.detach_volume({ ...command.args, token });
      case 'extend_volume':
        return client.extend_volume({ ...command.args, token });
      default:
        return assertNever(command);
    }
  }

  private async runStep(
    plan: Extract<Plan, { do: 'run' }>,
    turn: Turn,
    flow: OperationFlow<never>,
  ): Promise<Operation | null> {
    const { store } = this.io;
    const owned = await store.advance(turn.operation, {
      step: plan.step,
      lease: LEASE,
      ...(plan.error === undefined ? {} : { error: plan.error }),
      ...(plan.changes === undefined ? {} : { changes: plan.changes }),
    });
    if (owned === null) return null;
    if (flow.run === undefined) throw new NovellaError('internal', `${owned.kind} has no step ${plan.step}`);
    const running: Turn = { operation: owned, rows: turn.rows, answer: null };
    let done: StepDone;
    try {
      done = await flow.run(plan.step, running, this.flowIo);
    } catch (error) {
      return this.carryOut(stepFailed(plan.step, running, flow, error), running, flow);
    }
    const { next, changes } = done;
    return store.advance(owned, { step: next, lease: LEASE, ...(changes === undefined ? {} : { changes }) });
  }

  private async place(
    { hosts, need }: Extract<Plan, { do: 'place' }>,
    { operation, rows }: Turn,
  ): Promise<Operation | null> {
    for (const host of hosts) {
      const placed = await this.io.store.place(operation, rows.instance.id, host, need);
      if (placed === 'raced') break;
      if (placed === 'placed') return operation;
    }
    // Others were faster everywhere, or the server is being deleted: look again.
    await this.io.store.wait(operation, { for: 'retry', nextIn: backoff(0, this.io.random) });
    return null;
  }

  private pauseFor(plan: Extract<Plan, { do: 'wait' }>, operation: Operation): Millis {
    if (plan.for === 'host') return HOST_RECHECK;
    if (plan.for === 'server-task') return TASK_RECHECK;
    return backoff(
      plan.error === undefined ? operation.failures : failuresBefore(operation, plan.error),
      this.io.random,
    );
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

const tokenOf = ({ id, attempt, generation, fence }: Operation): CommandToken => {
  if (fence === null) throw new NovellaError('internal', 'a dispatched operation has no fence');
  return { operation: id, attempt, generation, fence };
};

const serverRowMissing = ({ serverId }: Operation): NovellaError =>
  new NovellaError('server-deleted', 'there is no such server', { server: serverId });
