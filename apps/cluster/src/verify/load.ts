import type { Random } from '@novella/core';
import type { Cloud } from './cloud.js';
import type { Ledger } from './ledger.js';
import { shuffled } from './schedule.js';
import type { GrowingVolume } from './volumes.js';
import { pause } from './waiting.js';

export interface LoadOptions {
  readonly cloud: Cloud;
  readonly ledger: Ledger;
  readonly volumes: readonly GrowingVolume[];
  readonly random: Random;
  readonly signal: AbortSignal;
  /** Accepted events to reach. */
  readonly events: number;
  /** They are spread over this time; whoever is behind hurries. */
  readonly overMs: number;
  /** What that time is measured by; the clock unless given. */
  readonly elapsedMs?: () => number;
  /** Of POSTs, the part that carries several events. */
  readonly batches: number;
}

const POSTERS = 12;
const LARGEST_BATCH = 10;
const AGAIN_MS = 200;
const LOOK_MS = 15;
/** The time that the load keeps pace with may be set back. */
const LONGEST_PAUSE_MS = 100;

/**
 * Grows volumes at Cinder and posts the events as Cinder would, one or several in a POST, until enough were accepted.
 * A POST that was refused or not answered is posted again, under another request id: what became of the first is not
 * counted, and if it was stored nevertheless it asks for nothing new.
 */
export class Load {
  private readonly free: Set<GrowingVolume>;
  private taken = 0;
  private startedAt = 0;

  constructor(private readonly options: LoadOptions) {
    this.free = new Set(options.volumes);
  }

  async run(): Promise<void> {
    this.startedAt = performance.now();
    await Promise.all(Array.from({ length: POSTERS }, () => this.post()));
  }

  private async post(): Promise<void> {
    const { events, random, batches, signal } = this.options;
    while (this.taken < events) {
      const several = random.fraction() < batches ? 2 + Math.floor(random.fraction() * (LARGEST_BATCH - 1)) : 1;
      const volumes = this.take(Math.min(several, events - this.taken));
      if (volumes.length === 0) {
        await pause(LOOK_MS, signal);
        continue;
      }
      await this.untilDue(this.taken);
      await Promise.all(volumes.map((volume) => this.grow(volume)));
      await this.postUntilAccepted(volumes);
      for (const volume of volumes) this.free.add(volume);
    }
  }

  /** That nobody else has now, each of another server: so each event's action has the request id of the POST. */
  private take(count: number): GrowingVolume[] {
    const volumes: GrowingVolume[] = [];
    for (const volume of shuffled([...this.free], this.options.random)) {
      if (volumes.length === count) break;
      if (volumes.some(({ server }) => server === volume.server)) continue;
      volumes.push(volume);
      this.free.delete(volume);
    }
    this.taken += volumes.length;
    return volumes;
  }

  private async untilDue(nth: number): Promise<void> {
    const { events, overMs, signal, elapsedMs = () => performance.now() - this.startedAt } = this.options;
    const dueMs = (nth / events) * overMs;
    for (let left = dueMs - elapsedMs(); left > 0; left = dueMs - elapsedMs()) {
      await pause(Math.min(left, LONGEST_PAUSE_MS), signal);
    }
  }

  /** By 1 GiB; asks again while Cinder is away, and looks whether it was heard. */
  private async grow(volume: GrowingVolume): Promise<void> {
    const { cloud, ledger, signal } = this.options;
    const sizeGib = volume.sizeGib + 1;
    ledger.asked.push({ volume: volume.volume, sizeGib, at: Date.now() });
    await cloud.askToExtend(volume.volume, sizeGib);
    for (;;) {
      const now = await cloud.volume(volume.volume);
      if (now?.status === 'in-use' && now.size >= sizeGib) break;
      if (now?.status === 'in-use') await cloud.askToExtend(volume.volume, sizeGib);
      if (now?.status.startsWith('error') === true) throw new Error(`volume ${volume.volume} is ${now.status}`);
      await pause(now === null ? AGAIN_MS : LOOK_MS, signal);
    }
    volume.sizeGib = sizeGib;
  }

  private async postUntilAccepted(volumes: readonly GrowingVolume[]): Promise<void> {
    const { cloud, ledger, signal } = this.options;
    let left = volumes;
    while (left.length > 0) {
      const postedAt = Date.now();
      const answer = await cloud.postExtended(left);
      const answeredAt = Date.now();
      const codes = answer?.codes ?? null;
      if (answer === null || codes === null) {
        ledger.refuse(answer === null ? 'no answer' : String(answer.status));
        await pause(AGAIN_MS, signal);
        continue;
      }
      const { requestId } = answer;
      for (const [index, { server, volume, sizeGib }] of left.entries()) {
        if (codes[index] === 200) ledger.accept({ requestId, server, volume, sizeGib, postedAt, answeredAt });
        else ledger.refuse(`event ${codes[index] ?? 'without a code'}`);
      }
      left = left.filter((_, index) => codes[index] !== 200);
    }
  }
}
