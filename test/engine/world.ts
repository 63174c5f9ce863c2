import { type Log, type Millis, seconds } from '@novella/core';
import type { OperationResult } from '@novella/contracts';
import { SERVER, seededRandom } from '@novella/testing';
import { Engine } from '../../apps/conductor/src/operations/engine.js';
import { Deployment } from './deployment.js';
import type { Meter, MeteredCall, Treatment, Whereabouts } from './meter.js';

/** Far apart, so that few of the calls that worlds are broken at are looks for work where there is none. */
export const SWEEP = seconds(60);
const silent: Log = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined };

/** Something that strikes at the `call`-th call that engines make of their ports, before or after it has its effect. */
export interface Fault {
  readonly call: number;
  readonly when: 'before' | 'after';
  /**
   * `error`: the call rejects. `crash`: its engine is dead and another starts. `twice`: it is done twice, and the engine
   * gets the second's answer (`before`) or the first's (`after`). A function: somebody else acts.
   */
  readonly kind: 'error' | 'crash' | 'twice' | ((world: World) => Promise<void>);
}

class Crash extends Error {}

interface Life extends Whereabouts {
  readonly engine: Engine;
  crashed: boolean;
}

/** What the store says, without effect, when what it is asked for cannot be at this moment. */
const TURNED_AWAY = { dispatch: 'excluded', place: 'no-room' } as const;

/** A deployment, and so many engines at once; engines come and go. */
export class World extends Deployment {
  /** Answers that no engine has recorded yet; the broker brings them again. */
  private readonly unrecorded: OperationResult[] = [];
  private lives: Life[] = [];
  private started = 0;
  private answered = 0;
  private fault: Fault | null = null;
  /** The next call of a method of this name rejects, without effect. */
  failsOnce: string | null = null;
  /** A delete is accepted right after the first call of a method of one of these names. */
  deletesAfter: readonly string[] = [];
  /** A call of this method of the store is turned away, once, after so many others. */
  turnsAway: { readonly method: keyof typeof TURNED_AWAY; after: number } | null = null;
  calls = 0;
  /** What each call was, as the meter names it. */
  readonly names: (string | null)[] = [];

  private constructor(
    private readonly engines: number,
    private readonly meter: Meter | null,
  ) {
    super();
  }

  static async with(engines: number, meter: Meter | null = null): Promise<World> {
    const world = new World(engines, meter);
    await world.hostReports();
    return world;
  }

  /** From here on calls are counted, and the fault strikes. */
  arm(fault: Fault | null): void {
    this.fault = fault;
    this.calls = 0;
    this.names.length = 0;
  }

  /** Lets the engines work until nothing is open any more. */
  async settle(): Promise<void> {
    while (this.lives.length < this.engines) this.startEngine();
    for (let step = 0; step < 2_000; step++) {
      if ((await this.store.operations({ open: true, limit: 10 })).length === 0) break;
      for (const result of this.unrecorded.splice(0)) await this.record(result);
      await this.clock.advanceToNext();
    }
    await Promise.all(this.lives.splice(0).map(({ engine }) => engine.stop()));
  }

  /** Lets the engines work for so long, whatever is open then. */
  async work(time: Millis): Promise<void> {
    while (this.lives.length < this.engines) this.startEngine();
    await this.clock.advance(time);
    await Promise.all(this.lives.splice(0).map(({ engine }) => engine.stop()));
  }

  protected override deliver(result: OperationResult): void {
    void this.record(result);
  }

  private async seeThatNobodyForgetsTheDelete(): Promise<void> {
    const server = await this.store.instance(SERVER);
    if (server !== null && server.taskState !== 'deleting') this.wrongs.push('a server that is deleted has no task');
  }

  private async record(result: OperationResult): Promise<void> {
    this.meter?.answered(result);
    const alive = this.lives.filter(({ crashed }) => !crashed);
    const taker = alive[this.answered++ % Math.max(1, alive.length)];
    if (taker === undefined) this.unrecorded.push(result);
    else await taker.engine.answer(result).catch(() => this.unrecorded.push(result));
  }

  private startEngine(): void {
    const breaking = <T extends object>(name: MeteredCall['port'], port: T): T => this.breaking(name, port, () => life);
    const io = {
      store: breaking('store', this.store),
      volumes: breaking('volumes', this.volumes),
      compute: () => breaking('host', this.host.client()),
      clock: this.clock,
      random: seededRandom(++this.started),
      log: silent,
    };
    const engine = new Engine(io, { name: `conductor-${this.started}`, concurrency: 8, sweep: SWEEP });
    const life: Life = { engine, crashed: false, effect: null };
    this.lives.push(life);
    engine.start();
  }

  /** The same port, with the fault in it. */
  private breaking<T extends object>(port: MeteredCall['port'], target: T, lifeOf: () => Life): T {
    return new Proxy(target, {
      get: (_, name) => {
        const method: unknown = Reflect.get(target, name);
        if (typeof method !== 'function') return method;
        return async (...args: unknown[]): Promise<unknown> => {
          // The engine calls nothing before it was made.
          await Promise.resolve();
          const life = lifeOf();
          if (life.crashed) throw new Crash('this engine is dead');
          if (this.deleting) await this.seeThatNobodyForgetsTheDelete();
          if (name === this.failsOnce) {
            this.failsOnce = null;
            throw new Error('broken by the test');
          }
          const fault = ++this.calls === this.fault?.call ? this.fault : null;
          const call: MeteredCall = { port, method: String(name), args };
          const metered = this.meter?.nameOf(call, life) ?? null;
          const treatment = fault === null ? null : treatmentOf(fault);
          if (metered !== null && treatment !== null) this.meter?.treated(metered, treatment);
          this.names.push(metered);
          if (name === this.turnsAway?.method && this.turnsAway.after-- === 0)
            return TURNED_AWAY[this.turnsAway.method];
          if (fault?.when === 'before') await this.strike(fault, life);
          const act = () => method.apply(target, args) as Promise<unknown>;
          const [first] = await Promise.allSettled([act()]);
          const [second] = fault?.kind === 'twice' ? await Promise.allSettled([act()]) : [first];
          const ended = fault?.when === 'before' ? second : first;
          for (const { status, value } of [first, second] as { status: string; value?: unknown }[]) {
            if (status === 'fulfilled') this.meter?.done(call, metered, value, life);
          }
          if (fault?.when === 'after') await this.strike(fault, life);
          if (!this.deleting && this.deletesAfter.includes(String(name))) await this.acceptDelete();
          if (ended.status === 'rejected') throw ended.reason;
          return ended.value;
        };
      },
    });
  }

  /** A crashed engine reaches nothing any more; another one takes over. */
  private async strike({ kind }: Fault, life: Life): Promise<void> {
    if (typeof kind === 'function') return kind(this);
    if (kind === 'twice') return;
    if (kind === 'error') throw new Error('broken by the test');
    life.crashed = true;
    this.lives = this.lives.filter((other) => other !== life);
    void life.engine.stop();
    this.startEngine();
    throw new Crash('killed by the test');
  }
}

function treatmentOf({ kind, when }: Fault): Treatment | null {
  if (kind === 'twice') return 'twice';
  return kind === 'error' || kind === 'crash' ? `${kind} ${when}` : null;
}
