import type { ClientOf, CommandToken, computeRpc } from '@novella/contracts';
import {
  assertNever,
  type Clock,
  type ErrorRecord,
  type HostName,
  type Log,
  type Millis,
  NovellaError,
  type OperationKind,
  type Random,
  seconds,
  toErrorRecord,
} from '@novella/core';
import type { EngineStore, HostStore, Operation } from '@novella/persistence';
import { underLease } from '../cinder-volume-service.js';
import type { VolumeService } from '../volume-service.js';
import { attach } from './attach.js';
import { build } from './build.js';
import { deleteServer } from './delete.js';
import { detach } from './detach.js';
import { extend } from './extend.js';
import type { Command, FlowIo, OperationFlow, Plan, StepDone, Turn } from './plan.js';
import { countedFailure, keepingReason, planForError, stepFailed } from './plans-for-errors.js';
import { pause, unpause } from './pause.js';
import { powerUpdate } from './power-update.js';
import { reboot } from './reboot.js';
import { backoff, DEADLINES, failuresBefore } from './retry.js';
import { start } from './start.js';
import { stop } from './stop.js';
import { resume, suspend } from './suspend.js';
import { openSystemExtend } from './system-extend.js';

export interface TurnIo {
  readonly store: EngineStore & HostStore;
  readonly volumes: VolumeService;
  readonly imageLinks?: NonNullable<FlowIo['imageLinks']>;
  /** The commands of one host. A host without a queue rejects with `rpc-no-route`. */
  readonly compute: (host: HostName) => ClientOf<typeof computeRpc>;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

/** Longer than the longest call to the volume service (90 s): who holds a lease is never overtaken while it works. */
export const LEASE = seconds(120);
/** Later in a lease nothing is begun at the volume service any more. */
const BEGINS_WITHIN = seconds(60);
/** A turn takes so many plans of its own steps at the most (one per volume); more would be a flow that goes in circles. */
const PLANS_PER_TURN = 64;
const HOST_RECHECK = seconds(60);
const TASK_RECHECK = seconds(5);
const BROKER_RECHECK = seconds(5);
const GUEST_RECHECK = seconds(60);

// Facts differ by kind; a flow only ever sees what its own readFacts has read.
export const FLOWS: Record<OperationKind, OperationFlow<unknown>> = {
  build,
  attach,
  detach,
  extend,
  start,
  stop,
  reboot,
  pause,
  unpause,
  suspend,
  resume,
  delete: deleteServer,
  'power-update': powerUpdate,
};

/** What one turn does with a claimed operation: facts, plan, and the plan's writes and messages, until it lets it go. */
export class Turns {
  private readonly flowIo: FlowIo;

  constructor(private readonly io: TurnIo) {
    this.flowIo = {
      volumes: io.volumes,
      ...(io.imageLinks === undefined ? {} : { imageLinks: io.imageLinks }),
      computeServices: () => io.store.services('nova-compute'),
    };
  }

  /** Rejects when the store cannot be written; the row then says where the next turn goes on. */
  async run(claimed: Operation, answer: Turn['answer']): Promise<void> {
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

  private async carryOut(plan: Plan, turn: Turn, flow: OperationFlow<unknown>): Promise<Operation | null> {
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
        const { do: _, behind = [], ...end } = plan;
        for (const volumeId of behind) await openSystemExtend(this.io, { serverId: operation.serverId, volumeId });
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
      case 'start_instance':
        return client.start_instance({ ...command.args, token });
      case 'stop_instance':
        return client.stop_instance({ ...command.args, token });
      case 'reboot_instance':
        return client.reboot_instance({ ...command.args, token });
      case 'pause_instance':
        return client.pause_instance({ ...command.args, token });
      case 'unpause_instance':
        return client.unpause_instance({ ...command.args, token });
      case 'suspend_instance':
        return client.suspend_instance({ ...command.args, token });
      case 'resume_instance':
        return client.resume_instance({ ...command.args, token });
      default:
        return assertNever(command);
    }
  }

  private async runStep(
    plan: Extract<Plan, { do: 'run' }>,
    turn: Turn,
    flow: OperationFlow<unknown>,
  ): Promise<Operation | null> {
    const { store, clock } = this.io;
    const leasedAt = clock.monotonic();
    const owned = await store.advance(turn.operation, {
      step: plan.step,
      lease: LEASE,
      ...(plan.error === undefined ? {} : { error: plan.error }),
      ...(plan.changes === undefined ? {} : { changes: plan.changes }),
    });
    if (owned === null) return null;
    if (flow.run === undefined) throw new NovellaError('internal', `${owned.kind} has no step ${plan.step}`);
    const running: Turn = { operation: owned, rows: turn.rows, answer: null };
    const volumes = underLease(this.io.volumes, () => clock.monotonic() - leasedAt < BEGINS_WITHIN);
    let done: StepDone;
    try {
      done = await flow.run(plan.step, running, { ...this.flowIo, volumes });
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
    if (plan.for === 'guest-start') return GUEST_RECHECK;
    return backoff(
      plan.error === undefined ? operation.failures : failuresBefore(operation, plan.error),
      this.io.random,
    );
  }
}

const tokenOf = ({ id, attempt, generation, fence }: Operation): CommandToken => {
  if (fence === null) throw new NovellaError('internal', 'a dispatched operation has no fence');
  return { operation: id, attempt, generation, fence };
};

const serverRowMissing = ({ serverId }: Operation): NovellaError =>
  new NovellaError('server-deleted', 'there is no such server', { server: serverId });
