import { waitUntil } from '@novella/testing';
import type { GuestConsole } from '@novella/testing';

/** What a guest with `novella.io` on its command line has last said of a disk: see deploy/guest/init. */
export interface GuestIo {
  readonly round: number;
  /** Read back and compared, in all rounds. */
  readonly compared: number;
  /** That the guest writes all over. */
  readonly sizeGib: number;
  /** Blocks that differed, or could not be read or written. */
  readonly wrong: number;
}

const LINE = /GUEST io \S+ serial=(\S+) round=(\d+) blocks=(\d+) size=(\d+) wrong=(\d+)/g;
const LIMIT_MS = 120_000;

export async function guestIo(guest: GuestConsole, volume: string): Promise<GuestIo> {
  const said = [...(await guest.text()).matchAll(LINE)].filter(([, serial = '']) => volume.startsWith(serial));
  const compared = said.reduce((sum, [, , , blocks]) => sum + Number(blocks), 0);
  const [, , round = -1, , sizeGib = 0, wrong = 0] = said.at(-1) ?? [];
  return { round: Number(round), compared, sizeGib: Number(sizeGib), wrong: Number(wrong) };
}

/** Resolves when a whole round has gone over so many GiB, and what it wrote there has been compared. */
export async function comparedUpTo(guest: GuestConsole, volume: string, sizeGib: number): Promise<void> {
  const written = async () => (await guestIo(guest, volume)).sizeGib === sizeGib;
  await waitUntil(written, { what: `the guest to write to ${sizeGib} GiB`, timeout: LIMIT_MS, every: 100 });
  const { round } = await guestIo(guest, volume);
  const compared = async () => (await guestIo(guest, volume)).round > round;
  await waitUntil(compared, { what: 'the guest to compare', timeout: LIMIT_MS, every: 100 });
}
