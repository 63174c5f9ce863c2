import { setTimeout as sleep } from 'node:timers/promises';
import type { Infrastructure } from './infrastructure.js';

const LOOK_EVERY_MS = 1_000;
const FIRST_PAUSE_MS = 1_000;
const LONGEST_PAUSE_MS = 30_000;

export interface WatchIo {
  readonly alarm: (text: string) => void;
  readonly say: (text: string) => void;
}

/** Looks after one program until the signal: when it takes no connections any more, it is started again. */
export async function lookAfter(program: Infrastructure, io: WatchIo, signal: AbortSignal): Promise<void> {
  let pause = FIRST_PAUSE_MS;
  while (await untilOrAborted(LOOK_EVERY_MS, signal)) {
    if (await program.answers()) continue;
    io.alarm(`${program.name} is gone; it is started again`);
    try {
      await program.startAgain();
      io.say(`${program.name} is back`);
      pause = FIRST_PAUSE_MS;
    } catch (error) {
      io.alarm(`${program.name} could not be started: ${error instanceof Error ? error.message : String(error)}`);
      await untilOrAborted(pause, signal);
      pause = Math.min(2 * pause, LONGEST_PAUSE_MS);
    }
  }
}

/** False when the signal came. */
const untilOrAborted = (ms: number, signal: AbortSignal): Promise<boolean> =>
  sleep(ms, true, { signal }).catch(() => false);
