import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Outcome } from '@novella/contracts';
import { SERVER, testHost, type TestHost, type TestVolume } from '../../apps/compute/src/testing/test-host.js';
import { BreakableWorker, type Command, type CommandArgs, type HostFault, type Went } from './breakable-worker.js';
import type { Prepared } from './scenarios.js';

export interface Carried {
  /** What the first worker called before the command was through. */
  readonly calls: readonly string[];
  /** What it still called after it was woken. */
  readonly afterWaking: readonly string[];
  /** How often it had to be delivered. */
  readonly tries: number;
  /** Sizes that became smaller. */
  readonly fell: readonly string[];
  /** How often the hypervisor was asked to grow a disk. */
  readonly resizes: number;
  /** What the host is then, and what it has answered. */
  readonly end: unknown;
}

const MOST_TRIES = 5;

/**
 * Delivers a command until it is done, as broker and conductor would: again when it was not reported, to a new worker on
 * the same host when the old one is gone, and as the next attempt when it has failed. Then delivers it once more, as
 * when its acknowledgement was lost.
 */
export async function carryOut(
  name: Command,
  prepare: (host: TestHost) => Promise<Prepared>,
  fault: HostFault | null,
): Promise<Carried> {
  const host = await testHost();
  const workers: BreakableWorker[] = [];
  try {
    const { volumes, args } = await prepare(host);
    const sizes = new Sizes(host, volumes);
    const resizesBefore = resizesOf(host);
    const newWorker = async (armed: HostFault | null): Promise<BreakableWorker> => {
      const worker = await BreakableWorker.start(host, (call) => sizes.lookAfter(call));
      workers.push(worker);
      worker.arm(armed);
      return worker;
    };
    const beginner = await newWorker(fault);
    let worker = beginner;
    let command = { ...args, token: host.token() } as CommandArgs;
    let done: Outcome | null = null;
    let tries = 0;
    while (done === null && tries < MOST_TRIES) {
      tries += 1;
      const went: Went = await worker.take(name, command);
      if (went === 'worker gone') worker = await newWorker(null);
      else if (went === 'not reported') continue;
      else if (went.outcome.status === 'failed') command = { ...command, token: nextAttempt(host, command) };
      else done = went.outcome;
    }
    const calls = [...beginner.calls];
    await beginner.wake();
    const afterWaking = beginner.calls.slice(calls.length);
    const again = await worker.take(name, command);
    await sizes.look();
    // These have done their work, whatever could then be measured.
    const first = MEASURES_WHAT_IT_CAN.includes(name) ? done?.status : done;
    const all = { done: first, again, host: await look(host, worker, volumes, name) };
    // Each host has a folder of its own, which is no difference.
    const end: unknown = JSON.parse(JSON.stringify(all).replaceAll(host.folder, ''));
    return { calls, afterWaking, tries, fell: sizes.fell, resizes: resizesOf(host) - resizesBefore, end };
  } finally {
    await Promise.all(workers.map(({ journal }) => journal.close()));
    await host.remove();
  }
}

const MEASURES_WHAT_IT_CAN: readonly Command[] = [
  'stop_instance',
  'pause_instance',
  'unpause_instance',
  'suspend_instance',
];

const nextAttempt = (host: TestHost, { token }: CommandArgs): CommandArgs['token'] => ({
  ...token,
  attempt: token.attempt + 1,
  fence: host.token().fence,
});

const resizesOf = ({ fake }: TestHost): number => fake.calls.filter(({ method }) => method === 'resizeDisk').length;

/** All that a user, an operator or the next worker would find. */
async function look(host: TestHost, { journal }: BreakableWorker, volumes: readonly TestVolume[], name: Command) {
  const guest = await host.fake.guest(SERVER);
  const instances = await readdir(host.files.directory, { recursive: true }).catch(() => []);
  return {
    // A build that was undone and begun again has its guest started twice.
    guest: guest !== null && name === 'build_instance' ? { ...guest, run: null } : guest,
    files: await Promise.all(
      instances.sort().map(async (file) => [file, (await stat(join(host.files.directory, file))).size]),
    ),
    cached: await Promise.all(
      (await readdir(host.cacheDir)).sort().map(async (file) => [file, (await stat(join(host.cacheDir, file))).size]),
    ),
    known: guest === null ? null : volumes.map(({ volume }) => host.fake.knownBytes(SERVER, volume)),
    volumes: await Promise.all(volumes.map((volume) => host.sizeOf(volume))),
    lengths: volumes.map(({ volume }) => journal.ownLengths(volume)),
    reboot: journal.begunReboot(SERVER),
  };
}

/** Watches that nothing becomes smaller. */
class Sizes {
  readonly fell: string[] = [];
  private readonly largest = new Map<string, number>();

  constructor(
    private readonly host: TestHost,
    private readonly volumes: readonly TestVolume[],
  ) {}

  /** The journal and the images are no part of it. */
  async lookAfter(call: string): Promise<void> {
    if (/^(virt|connector|files)\./.test(call)) await this.look();
  }

  async look(): Promise<void> {
    const guest = await this.host.fake.guest(SERVER);
    for (const one of this.volumes) {
      const { volume } = one;
      this.note(`the file of ${volume}`, await this.host.sizeOf(one));
      const seen = guest?.disks.find((disk) => disk.volume === volume)?.guestBytes ?? null;
      if (seen !== null) this.note(`${volume} in the guest`, seen);
    }
  }

  private note(what: string, size: number): void {
    const before = this.largest.get(what) ?? 0;
    if (size < before) this.fell.push(`${what}: ${size} after ${before}`);
    this.largest.set(what, Math.max(before, size));
  }
}
