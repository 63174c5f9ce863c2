import type { computeRpc, HandlersOf, OperationResult, Outcome } from '@novella/contracts';
import { bytes, NovellaError, seconds } from '@novella/core';
import { ImageDirectory } from '@novella/image';
import type { VirtDriver } from '@novella/virt';
import { join } from 'node:path';
import { commandHandlers } from '../../apps/compute/src/command-handlers.js';
import { EffectLocks } from '../../apps/compute/src/effect-locks.js';
import { CacheFiles } from '../../apps/compute/src/images/cache-files.js';
import { ImageCache } from '../../apps/compute/src/images/image-cache.js';
import { Journal } from '../../apps/compute/src/journal.js';
import { standingClock } from '../../apps/compute/src/testing/clocks.js';
import { HOST, NO_MESSAGE, quietLog, type TestHost } from '../../apps/compute/src/testing/test-host.js';

export type Command = Exclude<keyof HandlersOf<typeof computeRpc>, 'ping' | 'console_output'>;
export type CommandArgs<Name extends Command = Command> = Parameters<HandlersOf<typeof computeRpc>[Name]>[0];

/** Strikes at the `call`-th call that a worker makes of its ports, before or after it has its effect. */
export interface HostFault {
  readonly call: number;
  readonly when: 'before' | 'after';
  /**
   * `error`: the call rejects. `death`: the worker does nothing any more. `twice`: the call is done twice. `pause`: the
   * worker stands still until it is woken, and goes on as if nothing had been.
   */
  readonly kind: 'error' | 'death' | 'twice' | 'pause';
}

/** How a command went with one worker. */
export type Went = { readonly outcome: Outcome } | 'not reported' | 'worker gone';

/** Asked without waiting: they read what the journal remembers. */
const READS_MEMORY = ['ownLengths', 'begunReboot', 'folder', 'consolePath'];

/**
 * One process of a compute on a host that outlives it: the real journal on the host's state directory, the real handlers
 * and flows; each call that they make of hypervisor, connector, journal, files, images, the image cache's files and
 * downloads, and the conductor's queue is counted and can be broken.
 */
export class BreakableWorker {
  /** What was called, as `virt.resizeDisk`. */
  readonly calls: string[] = [];
  private readonly results: OperationResult[] = [];
  private fault: HostFault | null = null;
  private isDead = false;
  private wakeUp: () => void = () => undefined;
  private gone: () => void = () => undefined;
  private readonly going: Promise<'worker gone'>;
  private working: Promise<unknown> = Promise.resolve();
  private readonly handlers: HandlersOf<typeof computeRpc>;

  private constructor(
    host: TestHost,
    readonly journal: Journal,
    cacheFiles: CacheFiles,
    private readonly afterEachCall: (call: string) => Promise<void>,
  ) {
    this.going = new Promise((resolve) => (this.gone = () => resolve('worker gone')));
    const watched = this.watched('journal', journal);
    const conductor = {
      operation_result: (result: OperationResult) => Promise.resolve(void this.results.push(result)),
    };
    this.handlers = commandHandlers({
      commands: {
        host: HOST,
        journal: watched,
        locks: new EffectLocks(),
        conductor: this.watched('conductor', conductor),
        log: quietLog,
      },
      host: {
        virt: this.watchedVirt(host.virt),
        connectors: {
          local: this.watched('connector', host.connectors.local),
          rbd: this.watched('connector', host.connectors.rbd),
        },
        hostKey: host.hostKey,
        images: this.watched('images', new ImageDirectory(join(host.folder, 'images'))),
        imageCache: new ImageCache({
          files: this.watched('cacheFiles', cacheFiles),
          open: this.watched('download', { open: host.pieces.open }).open,
          limits: { most: bytes(1), keepUnused: seconds(3600) },
          clock: standingClock,
          log: quietLog,
        }),
        files: this.watched('files', host.files),
        journal: watched,
        shutdownGrace: seconds(60),
        log: quietLog,
      },
      clock: standingClock,
      signal: new AbortController().signal,
    });
  }

  static async start(host: TestHost, afterEachCall: (call: string) => Promise<void>): Promise<BreakableWorker> {
    const cacheFiles = await CacheFiles.open(host.cacheDir);
    return new BreakableWorker(host, await Journal.open(host.stateDir), cacheFiles, afterEachCall);
  }

  /** From here on calls are counted, and the fault strikes. */
  arm(fault: HostFault | null): void {
    this.fault = fault;
    this.calls.length = 0;
  }

  /** The command is delivered; resolves when it was reported, was not, or the worker is gone or stands still. */
  async take<Name extends Command>(name: Name, args: CommandArgs<Name>): Promise<Went> {
    const handler = this.handlers[name] as (command: CommandArgs, message: typeof NO_MESSAGE) => Promise<void>;
    const before = this.results.length;
    const reported = handler(args, NO_MESSAGE).then(
      (): Went => ({ outcome: this.results[before]!.outcome }),
      (): Went => 'not reported',
    );
    this.working = reported;
    return Promise.race([reported, this.going]);
  }

  /** One that stands still goes on, to its end. */
  async wake(): Promise<void> {
    this.wakeUp();
    if (!this.isDead) await this.working;
  }

  private watchedVirt(virt: VirtDriver): VirtDriver {
    const { liveResize } = virt;
    const watched = this.watched('virt', virt);
    if (liveResize === undefined) return watched;
    const resize = this.watched('virt', liveResize);
    return new Proxy(watched, {
      get: (target, name) => (name === 'liveResize' ? resize : (Reflect.get(target, name) as unknown)),
    });
  }

  private watched<T extends object>(port: string, target: T): T {
    return new Proxy(target, {
      get: (_, name) => {
        const method: unknown = Reflect.get(target, name);
        if (typeof method !== 'function') return method;
        if (READS_MEMORY.includes(String(name))) return (...args: unknown[]) => method.apply(target, args) as unknown;
        return (...args: unknown[]) =>
          this.call(`${port}.${String(name)}`, () => method.apply(target, args) as Promise<unknown>);
      },
    });
  }

  private async call(name: string, act: () => Promise<unknown>): Promise<unknown> {
    if (this.isDead) return FOREVER;
    this.calls.push(name);
    const fault = this.calls.length === this.fault?.call ? this.fault : null;
    if (fault?.when === 'before') await this.strike(fault, name);
    let answer = await act();
    if (fault?.kind === 'twice') {
      const second = await act();
      if (fault.when === 'before') answer = second;
    }
    await this.afterEachCall(name);
    if (fault?.when === 'after') await this.strike(fault, name);
    return answer;
  }

  private async strike({ kind }: HostFault, name: string): Promise<void> {
    switch (kind) {
      case 'error':
        throw new NovellaError('hypervisor-unreachable', `${name} was broken by the test`);
      case 'death':
        this.isDead = true;
        this.gone();
        return FOREVER;
      case 'pause':
        this.gone();
        return new Promise((resolve) => (this.wakeUp = resolve));
      case 'twice':
    }
  }
}

const FOREVER = new Promise<never>(() => undefined);
