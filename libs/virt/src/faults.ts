type Moment = 'before' | 'after';
type Step = () => Promise<void>;

interface Fault {
  readonly moment: Moment;
  readonly run: Step;
}

/** A call that a test holds. */
export interface HeldCall {
  /** Resolves when the call has come to the place where it is held. */
  readonly reached: Promise<void>;
  release(): void;
}

const NO_STEP: Step = () => Promise.resolve();

/** Faults that a test has prepared, each for one call, used up in the order in which they were prepared. */
export class Faults<Method extends string> {
  private readonly prepared = new Map<Method, Fault[]>();

  failNext(method: Method, error: Error, moment: Moment): void {
    this.prepare(method, { moment, run: () => Promise.reject(error) });
  }

  hangNext(method: Method, moment: Moment): HeldCall {
    let release: () => void = () => undefined;
    const released = new Promise<void>((resolve) => (release = resolve));
    const reached = new Promise<void>((resolve) => {
      this.prepare(method, {
        moment,
        run: () => {
          resolve();
          return released;
        },
      });
    });
    return { reached, release };
  }

  /** Runs what is prepared for before the call; answers what is to run after it. */
  async take(method: Method): Promise<Step> {
    const fault = this.prepared.get(method)?.shift();
    if (fault?.moment === 'before') await fault.run();
    return fault?.moment === 'after' ? fault.run : NO_STEP;
  }

  private prepare(method: Method, fault: Fault): void {
    this.prepared.set(method, [...(this.prepared.get(method) ?? []), fault]);
  }
}
