import type { Deployment } from './deployment.js';
import type { Part } from './parts.js';
import type { Recovery } from './recoveries.js';
import type { Fault } from './schedule.js';
import { comesTrue, pause } from './waiting.js';

const SERVE_LIMIT_MS = 90_000;
/** Looking is work for those who recover. */
const LOOK_MS = 100;

/** Carries out a schedule, and notes how long each part took to serve again. */
export class Faults {
  readonly recoveries: Recovery[] = [];
  private readonly open = new Set<Fault>();
  private since = performance.now();
  private nextMs = 0;
  /** Of each part: the end of what was done to it last. */
  private readonly done = new Map<string, Promise<unknown>>();

  constructor(
    private readonly deployment: Deployment,
    private readonly signal: AbortSignal,
  ) {}

  /** Resolves when the last part has recovered, or has not within its limit. What waits for others delays what follows. */
  async run(faults: readonly Fault[]): Promise<void> {
    let fail: (error: unknown) => void = () => undefined;
    const failed = new Promise<never>((_, reject) => (fail = reject));
    failed.catch(() => undefined);
    this.since = performance.now();
    const all: Promise<void>[] = [];
    for (const [index, fault] of faults.entries()) {
      this.nextMs = faults[index + 1]?.atMs ?? Number.POSITIVE_INFINITY;
      const due = this.since + fault.atMs;
      await Promise.race([pause(due - performance.now(), this.signal), failed]);
      if (fault.alone) await Promise.all(all);
      const recovered = this.carryOut(fault);
      recovered.catch(fail);
      all.push(recovered);
      if (!fault.alone) continue;
      await recovered;
      this.since += performance.now() - due;
    }
    await Promise.all(all);
  }

  /** How far the schedule is, in its own ms: whoever keeps pace with it is not done before the faults are. */
  get elapsedMs(): number {
    return Math.min(performance.now() - this.since, this.nextMs);
  }

  count(kind: Fault['kind']): number {
    return this.recoveries.filter((one) => one.kind === kind).length;
  }

  /** What is broken at this moment, or still recovering. */
  get broken(): string[] {
    return [...new Set([...this.open].map(({ part }) => part))];
  }

  /** One part is broken by one fault at a time, but again also before it has recovered. */
  private async carryOut(fault: Fault): Promise<void> {
    const part = this.deployment.part(fault.part);
    this.open.add(fault);
    const breaking = (this.done.get(part.name) ?? Promise.resolve()).then(async () => {
      const at = performance.now();
      return { at, from: await this.break(part, fault) };
    });
    this.done.set(part.name, breaking);
    const { at, from } = await breaking;
    const serves = await comesTrue(() => part.serves(), SERVE_LIMIT_MS, this.signal, LOOK_MS);
    this.recoveries.push({ part: part.name, kind: fault.kind, at, from, servedAt: serves ? performance.now() : null });
    this.open.delete(fault);
  }

  private async break(part: Part, { kind, holdMs }: Fault): Promise<number> {
    if (kind === 'kill') return part.kill(holdMs);
    if (kind === 'restart') return part.restart(holdMs);
    const frozen = await part.freeze();
    try {
      await pause(holdMs, this.signal);
    } finally {
      await frozen.goOn();
    }
    return performance.now();
  }
}
