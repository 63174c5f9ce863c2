import type { Trace } from './trace.js';

/**
 * One process of the deployment, as far as it can die or stand still. Whatever it does outside of its own memory goes
 * through `call`; what comes to it from outside through `receive`. After its death nothing of it acts any more and
 * nothing that it waits for ever comes; while it stands still both are put off.
 */
export class SimulatedProcess {
  private state: 'running' | 'frozen' | 'dead' = 'running';
  /** What goes on when it goes on. */
  private readonly held: (() => void)[] = [];
  private readonly atDeath: (() => void)[] = [];
  /** What happens to it at the so-manyth place from now, if anything. */
  private fate: { left: number; readonly then: () => void } | null = null;

  constructor(
    readonly name: string,
    private readonly trace: Trace,
  ) {}

  get isDead(): boolean {
    return this.state === 'dead';
  }

  get isFrozen(): boolean {
    return this.state === 'frozen';
  }

  onDeath(then: () => void): void {
    this.atDeath.push(then);
  }

  /** At the so-manyth place from now where it waits for something, before a call or after its effect, `then` happens. */
  atCall(count: number, then: () => void): void {
    this.fate = { left: count, then };
  }

  spare(): void {
    this.fate = null;
  }

  die(): void {
    if (this.state === 'dead') return;
    this.trace.say(this.name, 'dies');
    this.state = 'dead';
    this.held.length = 0;
    for (const then of this.atDeath) then();
  }

  freeze(): void {
    if (this.state !== 'running') return;
    this.trace.say(this.name, 'stands still');
    this.state = 'frozen';
  }

  thaw(): void {
    if (this.state !== 'frozen') return;
    this.trace.say(this.name, 'wakes up');
    this.state = 'running';
    for (const go of this.held.splice(0)) go();
  }

  /**
   * An effect outside of the process. It may be done although the process never learns of it. Where it only looks whether
   * there is something to do (`idle`) no fate waits for it: it would be found there most of the time. Where it has looked
   * right before whether it still may (`sent at once`), it is not stopped between the look and the effect.
   */
  async call<T>(effect: () => Promise<T>, pace: 'idle' | 'at work' | 'sent at once' = 'at work'): Promise<T> {
    await this.place(pace === 'at work');
    let value: T;
    try {
      value = await effect();
    } catch (error) {
      await this.place(pace !== 'idle');
      throw error;
    }
    await this.place(pace !== 'idle');
    return value;
  }

  /** Something reaches the process: now, when it goes on, or never. */
  receive(what: () => void): void {
    if (this.state === 'running') what();
    else if (this.state === 'frozen') this.held.push(what);
  }

  /** A place where the process can be found dead or standing still. */
  private place(isAtWork: boolean): Promise<void> | undefined {
    if (this.state === 'running' && this.fate !== null && isAtWork) this.comeCloser(this.fate);
    if (this.state === 'running') return undefined;
    return new Promise((resolve) => {
      if (this.state === 'frozen') this.held.push(resolve);
    });
  }

  private comeCloser(fate: { left: number; readonly then: () => void }): void {
    fate.left -= 1;
    if (fate.left >= 0) return;
    this.fate = null;
    fate.then();
  }
}
