import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Socket } from 'node:net';
import type { Readable, Writable } from 'node:stream';
import { type Millis, NovellaError, seconds } from '@novella/core';
import { z } from 'zod';
import { ENVIRONMENT } from './process-runner.js';
import { RBD_PROGRAM } from './rbd-program.js';

/** How a cluster is reached. `key` is base64, and never to be logged; `user` and `key` are null where everybody is let in. */
export interface RbdCluster {
  /** The path of a configuration file. */
  readonly conf: string;
  /** `address:port`, an IPv6 address in brackets. */
  readonly monitors: readonly string[];
  readonly user: string | null;
  readonly key: string | null;
}

export interface RbdLook {
  readonly pool: string;
  readonly image: string;
  /** How many of the image's first bytes are wanted too. */
  readonly head: number;
  /** The image is made this long when it is shorter, and never shorter; null: it is only read. */
  readonly atLeast: number | null;
}

export interface RbdImages {
  /**
   * The image's bytes as they are now, and its first ones. Errors: host-device-missing; paths-down for all that keeps us
   * from the cluster.
   */
  look(cluster: RbdCluster, look: RbdLook): Promise<{ readonly size: number; readonly head: Buffer }>;
}

type Seen = Awaited<ReturnType<RbdImages['look']>>;

/** A cluster that does not answer is given up after this; librados itself would wait for 300 s, or for ever. */
const CLUSTER_TIMEOUT = seconds(15);
/** What may pass besides until the process itself is given up. */
const PROCESS_TIMEOUT = seconds(15);
const IDLE_MS = seconds(600);
/** ENOENT, of the image or of its pool. */
const NO_SUCH_IMAGE = 2;
/** One for each monitor that was asked in the wrong version of the protocol, of no interest to anybody. */
const NOISE = /peer_banner/;

const size = z.number().int().nonnegative().max(Number.MAX_SAFE_INTEGER);
const answer = z.union([
  z.object({ id: z.number(), size, head: z.base64() }),
  z.object({ id: z.number(), errno: z.number(), message: z.string() }),
  // The cluster is not reached at all.
  z.object({ id: z.null(), message: z.string() }),
]);

/**
 * One process of Ceph's own binding for each cluster and user, kept for the next look: `rbd` would need 0.1 s to start for
 * each. It stands apart because librados may hang for good; a process can be killed. It is told the key through its input,
 * and ends with us, however we end.
 */
export class RbdProcesses implements RbdImages {
  readonly #processes = new Map<string, RbdProcess>();
  readonly #clusterTimeout: Millis;

  constructor({ clusterTimeout = CLUSTER_TIMEOUT }: { readonly clusterTimeout?: Millis } = {}) {
    this.#clusterTimeout = clusterTimeout;
  }

  async look(cluster: RbdCluster, look: RbdLook): Promise<Seen> {
    const name = JSON.stringify(cluster);
    const known = this.#processes.get(name);
    if (known !== undefined) return known.look(look);
    const started = new RbdProcess(cluster, this.#clusterTimeout, () => {
      if (this.#processes.get(name) === started) this.#processes.delete(name);
    });
    this.#processes.set(name, started);
    return started.look(look);
  }
}

interface Waiting {
  readonly path: string;
  readonly resolve: (seen: Seen) => void;
  readonly reject: (error: NovellaError) => void;
  readonly timer: NodeJS.Timeout;
}

class RbdProcess {
  readonly #child: ChildProcessByStdio<Writable, Readable, Readable>;
  readonly #limit: Millis;
  readonly #onEnd: () => void;
  readonly #waiting = new Map<number, Waiting>();
  #asked = 0;
  #retired = false;
  #said = '';
  #idle: NodeJS.Timeout | undefined;

  /** `onEnd`: it is asked nothing more; may be called again. */
  constructor({ conf, monitors, user, key }: RbdCluster, clusterTimeout: Millis, onEnd: () => void) {
    this.#onEnd = onEnd;
    this.#limit = (clusterTimeout + PROCESS_TIMEOUT) as Millis;
    const limit = String(clusterTimeout / 1000);
    const options = {
      mon_host: monitors.join(','),
      ...(key === null ? {} : { key }),
      ...{ client_mount_timeout: limit, rados_osd_op_timeout: limit, rados_mon_op_timeout: limit },
    };
    this.#child = spawn('python3', ['-I', '-c', RBD_PROGRAM], { env: ENVIRONMENT, stdio: ['pipe', 'pipe', 'pipe'] });
    const { stdin, stdout, stderr } = this.#child;
    // A process that has ended says so itself.
    stdin.on('error', () => undefined);
    createInterface({ input: stdout }).on('line', (line) => this.#answered(line));
    stderr.setEncoding('utf8').on('data', (text: string) => (this.#said = (this.#said + text).slice(-2000)));
    this.#child.once('error', (error) => this.#ended(error.message));
    this.#child.once('close', (code, signal) => this.#ended(`ended with ${signal ?? code}`));
    // What waits has a timer, which alone keeps us from ending.
    this.#child.unref();
    for (const pipe of [stdin, stdout, stderr]) (pipe as unknown as Socket).unref();
    this.#tell({ conf, user, options });
  }

  look({ pool, image, head, atLeast }: RbdLook): Promise<Seen> {
    clearTimeout(this.#idle);
    const id = (this.#asked += 1);
    const path = `${pool}/${image}`;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => this.#giveUp(), this.#limit);
      this.#waiting.set(id, { path, resolve, reject, timer });
      this.#tell({ id, pool, image, head, atLeast });
    });
  }

  #tell(line: unknown): void {
    this.#child.stdin.write(`${JSON.stringify(line)}\n`);
  }

  #answered(line: string): void {
    const parsed = answer.safeParse(jsonOf(line));
    if (!parsed.success) return void (this.#said += `\n${line.slice(0, 200)}`);
    const { data } = parsed;
    if (data.id === null) return void (this.#said += `\n${data.message}`);
    const waiting = this.#waiting.get(data.id);
    if (waiting === undefined) return;
    this.#settle(data.id, waiting);
    if ('size' in data) {
      waiting.resolve({ size: data.size, head: Buffer.from(data.head, 'base64') });
      return;
    }
    // A client that the cluster has shut out stays so: the next look is another one's.
    if (data.errno !== NO_SUCH_IMAGE) this.#retire();
    waiting.reject(failure(waiting.path, data.errno, data.message));
  }

  #settle(id: number, { timer }: Waiting): void {
    clearTimeout(timer);
    this.#waiting.delete(id);
    if (this.#waiting.size > 0) return;
    if (this.#retired) this.#child.stdin.end();
    else this.#idle = setTimeout(() => this.#retire(), IDLE_MS).unref();
  }

  #retire(): void {
    this.#retired = true;
    this.#onEnd();
    if (this.#waiting.size === 0) this.#child.stdin.end();
  }

  #giveUp(): void {
    this.#child.kill('SIGKILL');
    this.#ended(`did not answer within ${this.#limit} ms`);
  }

  #ended(how: string): void {
    clearTimeout(this.#idle);
    this.#onEnd();
    const said = this.#said.split('\n').filter((line) => line.trim() !== '' && !NOISE.test(line));
    for (const [id, waiting] of this.#waiting) {
      clearTimeout(waiting.timer);
      this.#waiting.delete(id);
      waiting.reject(failure(waiting.path, 0, [`the look into the cluster ${how}`, ...said].join('; ').slice(-500)));
    }
  }
}

function failure(path: string, errno: number, said: string): NovellaError {
  const cause = new Error(said);
  if (errno !== NO_SUCH_IMAGE) {
    return new NovellaError('paths-down', 'the Ceph cluster refused, or was not reached', { path }, { cause });
  }
  return new NovellaError('host-device-missing', 'there is no such image in the cluster', { path }, { cause });
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
