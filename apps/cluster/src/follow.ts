import { open } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';

const LOOK_EVERY_MS = 50;

export interface Followed {
  /** Hands on what is there by now, also a last line without its end. */
  stop(): Promise<void>;
}

/**
 * Hands on each line that is written to the file from now on. Who writes needs no reader for that: a pipe would break when
 * we are killed, and take the writers' last words with it.
 */
export async function follow(path: string, onLine: (line: string) => void): Promise<Followed> {
  const file = await open(path, 'r');
  let position = (await file.stat()).size;
  let rest = '';
  const decoder = new TextDecoder();
  const buffer = Buffer.alloc(65_536);

  const read = async (): Promise<void> => {
    for (;;) {
      const { bytesRead } = await file.read(buffer, 0, buffer.length, position);
      if (bytesRead === 0) return;
      position += bytesRead;
      const lines = (rest + decoder.decode(buffer.subarray(0, bytesRead), { stream: true })).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) onLine(line);
    }
  };
  const stopped = new AbortController();
  const following = (async () => {
    while (!stopped.signal.aborted) {
      await read();
      await sleep(LOOK_EVERY_MS, undefined, { signal: stopped.signal }).catch(() => undefined);
    }
  })();
  return {
    async stop() {
      stopped.abort();
      await following;
      await read();
      if (rest !== '') onLine(rest);
      await file.close();
    },
  };
}
