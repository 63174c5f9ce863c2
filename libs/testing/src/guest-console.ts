import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Bytes, sectorsToBytes } from '@novella/core';

/** A disk as the guest sees it. `serial` is what the guest can read of it: on virtio-blk the first 20 characters. */
export interface SeenDisk {
  readonly name: string;
  readonly serial: string;
  readonly size: Bytes;
}

const POLL_MS = 10;
/** Generous: a guest may be emulated on a machine that is busy with others. */
const LIMIT_MS = 60_000;
const TAIL_LINES = 20;
/** Less of a serial could belong to several volumes. */
const SHORTEST_SERIAL = 8;

const DISK = /GUEST disk (?<name>\S+) serial=(?<serial>\S+) (?:resized )?(?:sectors=(?<sectors>\d+)|(?<gone>gone))$/;

/** Follows what deploy/guest/init says on the serial console, which the hypervisor writes to the file at `path`. */
export class GuestConsole {
  constructor(private readonly path: string) {}

  /** Resolves when the guest has loaded its drivers. */
  async ready(timeoutMs = LIMIT_MS): Promise<void> {
    await this.waitFor('that it is ready', ({ isReady }) => isReady, timeoutMs);
  }

  /** Resolves when the guest has the disk of that volume (its id, or the start of it), whatever its size. */
  waitForDisk(volume: string, timeoutMs = LIMIT_MS): Promise<SeenDisk> {
    return this.waitFor(`a disk with serial ${volume}`, ({ disks }) => findDisk(disks, volume), timeoutMs);
  }

  /** Resolves when the guest sees that disk with exactly `size` bytes. */
  waitForSize(volume: string, size: Bytes, timeoutMs = LIMIT_MS): Promise<SeenDisk> {
    const what = `a disk with serial ${volume} and ${size} bytes`;
    const look = ({ disks }: ConsoleState) => {
      const disk = findDisk(disks, volume);
      return disk?.size === size && disk;
    };
    return this.waitFor(what, look, timeoutMs);
  }

  /**
   * Resolves when the guest, which is ready, has no disk of that volume. A guest that went on from saved memory does not
   * say on its new console that it is ready; of that one it is enough that the disk is gone.
   */
  async waitForNoDisk(volume: string, timeoutMs = LIMIT_MS): Promise<void> {
    const look = ({ isReady, disks, gone }: ConsoleState) =>
      (isReady || findDisk(gone, volume) !== undefined) && findDisk(disks, volume) === undefined;
    await this.waitFor(`no disk with serial ${volume}`, look, timeoutMs);
  }

  /** What the guest sees now. */
  async disks(): Promise<readonly SeenDisk[]> {
    return parseConsole(await this.text()).disks;
  }

  /** Everything on the console so far; empty while there is no file. */
  async text(): Promise<string> {
    try {
      return await readFile(this.path, 'utf8');
    } catch (error) {
      if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return '';
      throw error;
    }
  }

  private async waitFor<T>(
    what: string,
    look: (state: ConsoleState) => T | false | undefined,
    timeoutMs: number,
  ): Promise<T> {
    const deadline = performance.now() + timeoutMs;
    for (;;) {
      const text = await this.text();
      const seen = look(parseConsole(text));
      if (seen !== false && seen !== undefined) return seen;
      if (performance.now() >= deadline) throw new Error(notSeen(what, timeoutMs, text));
      await sleep(POLL_MS);
    }
  }
}

interface ConsoleState {
  readonly isReady: boolean;
  readonly disks: readonly SeenDisk[];
  readonly gone: readonly Pick<SeenDisk, 'serial'>[];
}

/** The console's lines, the last of which may still be incomplete, as what the guest sees after them. */
export function parseConsole(text: string): ConsoleState {
  const disks = new Map<string, SeenDisk>();
  const allGone: { readonly serial: string }[] = [];
  let isReady = false;
  for (const line of linesOf(text.slice(0, text.lastIndexOf('\n') + 1))) {
    if (line.endsWith('GUEST ready')) {
      // The guest has started (again): it will tell of all disks anew.
      isReady = true;
      disks.clear();
    }
    const { name, serial, sectors, gone } = DISK.exec(line)?.groups ?? {};
    if (name === undefined || serial === undefined) continue;
    if (gone !== undefined) {
      disks.delete(name);
      allGone.push({ serial });
    } else disks.set(name, { name, serial, size: sectorsToBytes(Number(sectors)) });
  }
  return { isReady, disks: [...disks.values()], gone: allGone };
}

/** Either may be cut short: the serial by the kind of disk, `volume` by who asks. */
function findDisk<Seen extends Pick<SeenDisk, 'serial'>>(disks: readonly Seen[], volume: string): Seen | undefined {
  return disks.find(
    ({ serial }) => serial.startsWith(volume) || (serial.length >= SHORTEST_SERIAL && volume.startsWith(serial)),
  );
}

const linesOf = (text: string): string[] => text.split(/\r?\n/);

function notSeen(what: string, timeoutMs: number, text: string): string {
  const tail = linesOf(text.trimEnd()).slice(-TAIL_LINES);
  return `the guest did not say ${what} within ${timeoutMs} ms; its last lines:\n${tail.join('\n')}`;
}
