import type { ClientOf, computeRpc } from '@novella/contracts';
import type { Clock, HostName, Log, Random } from '@novella/core';
import { millis } from '@novella/core';
import type { ApiStore, EngineStore, HostStore } from '@novella/persistence';
import { noticingReturn } from './cinder-volume-service.js';
import type { HostReportsIo } from './hosts/host-reports.js';
import type { ImageLinks } from './images/image-links.js';
import { Engine } from './operations/engine.js';
import { Reconciler } from './operations/reconciler.js';
import type { VolumeService } from './volume-service.js';

export interface ConductorIo {
  /** Written into claims: no two that run at the same time, and the same again after a restart. */
  readonly name: string;
  /** What hosts say is believed only from the host's own broker user. */
  readonly verifySender: boolean;
  readonly store: EngineStore & HostStore & Pick<ApiStore, 'blockDeviceMappings'>;
  readonly volumes: VolumeService;
  /** Where images come from the image service. */
  readonly imageLinks?: ImageLinks;
  readonly compute: (host: HostName) => ClientOf<typeof computeRpc>;
  /** Of a host that was removed, at the broker. */
  readonly deleteQueue: HostReportsIo['deleteQueue'];
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

const CONCURRENCY = 32;
const SWEEP = millis(5_000);

/** The parts of a conductor, wired: the engine, the reconciler, and what hosts' reports set off. */
export class Conductor {
  readonly engine: Engine;
  readonly verifySender: boolean;
  readonly reports: HostReportsIo;
  private readonly reconciler: Reconciler;

  constructor(io: ConductorIo) {
    this.verifySender = io.verifySender;
    const hint = () => this.engine.hint();
    const volumes = noticingReturn(io.volumes, io.clock, () => {
      io.store.wake({ for: 'cinder' }).then(hint, (error: unknown) => io.log.warn('nobody could be woken', { error }));
    });
    this.engine = new Engine({ ...io, volumes }, { name: io.name, concurrency: CONCURRENCY, sweep: SWEEP });
    this.reconciler = new Reconciler({ ...io, volumes, hint });
    this.reports = {
      store: io.store,
      log: io.log,
      deleteQueue: io.deleteQueue,
      hint,
      reconcile: (host) => this.reconciler.reconcile(host),
      guestStarted: (server) => this.reconciler.guestStarted(server),
    };
  }

  start(): void {
    this.engine.start();
    this.reconciler.start();
  }

  /** Takes nothing new; resolves when what was under way has ended. */
  async stop(): Promise<void> {
    await Promise.all([this.engine.stop(), this.reconciler.stop()]);
  }
}
