import { setTimeout as sleep } from 'node:timers/promises';
import { type EmbeddedPostgres, startEmbeddedPostgres } from '@novella/persistence';
import { type PrivateRabbit } from '@novella/testing';
import type { Member } from '../member.js';
import { type Frozen, freeze, pidsOf, signalIfThere, withDescendants } from './processes.js';
import { comesTrue } from './waiting.js';

/** Something that can break. One fault at a time. */
export interface Part {
  readonly name: string;
  /** SIGKILL. Resolves with the moment from which its recovery counts, by performance.now(). */
  kill(awayMs: number): Promise<number>;
  /** Ends in order and comes back. Answers as `kill`. */
  restart(awayMs: number): Promise<number>;
  freeze(): Promise<Frozen>;
  /** It does its work; for broker and Postgres: all that need it do theirs. */
  serves(): Promise<boolean>;
}

const ASK_LIMIT_MS = 3_000;
const AGAIN_LIMIT_MS = 90_000;
const START_LIMIT_MS = 60_000;

/** A process of ours. Its supervisor starts it again, as systemd would. */
export class MemberPart implements Part {
  readonly name: string;

  constructor(
    readonly member: Member,
    private readonly signal: AbortSignal,
  ) {
    this.name = member.spec.name;
  }

  kill(): Promise<number> {
    return this.end('SIGKILL');
  }

  restart(): Promise<number> {
    return this.end('SIGTERM');
  }

  freeze(): Promise<Frozen> {
    const { pid } = this.member;
    return freeze(pid === null ? [] : [pid]);
  }

  /** 200, and, where the answer tells parts, all of them well: a nova-api without a broker serves with less. */
  async serves(): Promise<boolean> {
    try {
      const response = await fetch(this.member.spec.health, { signal: AbortSignal.timeout(ASK_LIMIT_MS) });
      const text = await response.text();
      return response.status === 200 && !/"state":\s*"degraded"/.test(text);
    } catch {
      return false;
    }
  }

  private async end(signal: 'SIGKILL' | 'SIGTERM'): Promise<number> {
    const { member } = this;
    await comesTrue(() => member.pid !== null, AGAIN_LIMIT_MS, this.signal);
    const { pid } = member;
    const at = performance.now();
    if (pid !== null) signalIfThere(pid, signal);
    await comesTrue(() => member.pid !== null && member.pid !== pid, AGAIN_LIMIT_MS, this.signal, 5);
    return at;
  }
}

export class RabbitPart implements Part {
  readonly name = 'rabbitmq';

  constructor(
    private readonly rabbit: PrivateRabbit,
    private readonly directory: string,
    readonly serves: () => Promise<boolean>,
  ) {}

  async kill(awayMs: number): Promise<number> {
    await this.rabbit.kill();
    return this.startAfter(awayMs);
  }

  async restart(awayMs: number): Promise<number> {
    await this.rabbit.halt();
    return this.startAfter(awayMs);
  }

  async freeze(): Promise<Frozen> {
    return freeze(await pidsOf('beam.smp', this.directory));
  }

  private async startAfter(awayMs: number): Promise<number> {
    await sleep(awayMs);
    await this.rabbit.start();
    return performance.now();
  }
}

export class PostgresPart implements Part {
  readonly name = 'postgres';

  private constructor(
    private server: EmbeddedPostgres,
    private readonly start: (port: number) => Promise<EmbeddedPostgres>,
    readonly serves: () => Promise<boolean>,
  ) {}

  static async start(
    dataDir: string,
    log: (line: string) => void,
    serves: () => Promise<boolean>,
  ): Promise<PostgresPart> {
    const start = (port: number) => startEmbeddedPostgres({ dataDir, port, fsync: true, log });
    return new PostgresPart(await start(0), start, serves);
  }

  get url(): string {
    return this.server.url;
  }

  /** With all its processes, as a power cut does it to them. */
  async kill(awayMs: number): Promise<number> {
    for (const pid of await withDescendants(this.server.pid)) signalIfThere(pid, 'SIGKILL');
    await this.server.stop();
    return this.startAfter(awayMs);
  }

  async restart(awayMs: number): Promise<number> {
    await this.server.stop();
    return this.startAfter(awayMs);
  }

  async freeze(): Promise<Frozen> {
    return freeze(await withDescendants(this.server.pid));
  }

  stop(): Promise<void> {
    return this.server.stop();
  }

  /** Its shared memory may still be held by a process that is just ending. */
  private async startAfter(awayMs: number): Promise<number> {
    await sleep(awayMs);
    for (const since = performance.now(); ;) {
      try {
        this.server = await this.start(this.server.port);
        return performance.now();
      } catch (error) {
        if (performance.now() - since > START_LIMIT_MS) throw error;
        await sleep(100);
      }
    }
  }
}
