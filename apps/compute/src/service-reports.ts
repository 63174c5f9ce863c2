import { statfs } from 'node:fs/promises';
import { type ClientOf, type conductorRpc, REPORT_INTERVAL_MS, type ServiceReport } from '@novella/contracts';
import {
  bytes,
  bytesToGib,
  type Clock,
  type HostName,
  type Log,
  millis,
  NovellaError,
  type Random,
  seconds,
} from '@novella/core';
import type { Connectors } from '@novella/brick';
import type { HypervisorFacts, VirtDriver } from '@novella/virt';

export interface ReportsIo {
  readonly host: HostName;
  readonly version: string;
  readonly stateDir: string;
  readonly virt: VirtDriver;
  readonly connectors: Connectors;
  readonly connectorProperties: Readonly<Record<string, unknown>>;
  readonly hostKey: { readonly publicKey: string };
  readonly conductor: Pick<ClientOf<typeof conductorRpc>, 'service_report'>;
  /** Whether commands are known not to reach this host; unless given, they are believed to. */
  readonly isDeaf?: () => boolean;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

/** Reports of many hosts that started at once shall spread out. */
const JITTER = 0.1;
/** While no report got through: no conductor has its queue yet, or the broker or the hypervisor is away. */
const NEXT_TRY = seconds(1);
/** A hypervisor that takes longer to say what it is does not answer. */
const HYPERVISOR_LIMIT = millis(REPORT_INTERVAL_MS / 2);

/**
 * Tells the conductors every REPORT_INTERVAL_MS that this host works and what it can do. `starting` is repeated until
 * one report got through; a host whose hypervisor does not answer, or whom no command reaches, says nothing and so counts
 * as down after a while.
 */
export class ServiceReports {
  readonly #io: ReportsIo;
  readonly #stop = new AbortController();
  #running: Promise<void> = Promise.resolve();
  #phase: 'starting' | 'running' = 'starting';
  #lastSeen: HypervisorFacts | null = null;

  constructor(io: ReportsIo) {
    this.#io = io;
  }

  start(): void {
    this.#running = this.#loop();
  }

  /** Ends the loop and says good-bye; that a good-bye got lost costs only time. */
  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#running;
    if (this.#lastSeen === null) return;
    await this.#send('stopping', this.#lastSeen).catch((error: unknown) => this.#warn(error));
  }

  async #loop(): Promise<void> {
    const { clock, random } = this.#io;
    while (!this.#stop.signal.aborted) {
      await this.#report();
      const interval = millis(REPORT_INTERVAL_MS * (1 - JITTER * random.fraction()));
      const pause = this.#phase === 'starting' ? NEXT_TRY : interval;
      await clock.sleep(pause, this.#stop.signal).catch(() => undefined);
    }
  }

  async #report(): Promise<void> {
    try {
      this.#mustHear();
      this.#lastSeen = await this.#askHypervisor();
      await this.#send(this.#phase, this.#lastSeen);
      this.#phase = 'running';
    } catch (error) {
      this.#warn(error);
    }
  }

  #mustHear(): void {
    if (this.#io.isDeaf?.() !== true) return;
    throw new NovellaError('broker-unreachable', 'commands do not reach this host');
  }

  /** The next report asks anew, so one question that is never answered costs no more than its own report. */
  async #askHypervisor(): Promise<HypervisorFacts> {
    const answered = new AbortController();
    const tooLong = this.#io.clock
      .sleep(HYPERVISOR_LIMIT, AbortSignal.any([answered.signal, this.#stop.signal]))
      .catch(() => undefined)
      .then(() => {
        throw new NovellaError('hypervisor-unreachable', 'the hypervisor did not answer in time', {
          limitMs: HYPERVISOR_LIMIT,
        });
      });
    try {
      return await Promise.race([this.#io.virt.hypervisor(), tooLong]);
    } finally {
      answered.abort();
    }
  }

  async #send(phase: ServiceReport['phase'], seen: HypervisorFacts): Promise<void> {
    const { host, version, virt, connectors, connectorProperties, hostKey, stateDir } = this.#io;
    const disk = await statfs(stateDir);
    await this.#io.conductor.service_report({
      host,
      phase,
      publicKey: hostKey.publicKey,
      version,
      // By the host's own name: libvirt says that of the machine, which containers change and namespaces share.
      hypervisor: { type: seen.type, version: seen.version, hostname: host },
      capabilities: await capabilities(virt, connectors),
      connectorProperties: { ...connectorProperties },
      capacity: { vcpus: seen.vcpus, memoryMib: seen.memoryMib, diskGib: bytesToGib(bytes(disk.blocks * disk.bsize)) },
    });
  }

  #warn(error: unknown): void {
    this.#io.log.warn('the service report did not get through', { phase: this.#phase, cause: error });
  }
}

/** Asked anew for each report: an operator may install what a connector runs at any time. */
async function capabilities(virt: VirtDriver, connectors: Connectors): Promise<string[]> {
  const protocols = Object.entries(connectors).map(async ([protocol, connector]) =>
    (await connector.isUsable()) ? [`protocol:${protocol}`] : [],
  );
  return [
    ...(virt.liveResize === undefined ? [] : ['extend-volume']),
    'power',
    'console-output',
    ...(await Promise.all(protocols)).flat(),
    'format:raw',
    'format:qcow2',
  ];
}
