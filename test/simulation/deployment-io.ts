import type { Clock, HostName, Log } from '@novella/core';
import type { InMemoryBroker } from '@novella/messaging';
import type { Store } from '@novella/persistence';
import type { CallFaults } from './call-faults.js';
import type { Chance } from './chance.js';
import type { Cinder } from './cinder.js';
import type { PublishFault } from './gated-link.js';
import type { AdvisoryLocks, StoreCall } from './gated-store.js';
import type { SimulatedHost } from './simulated-host.js';
import type { Trace } from './trace.js';

/** What a process of the deployment is started on; all of it outlives the process. */
export interface DeploymentIo {
  readonly clock: Clock;
  readonly chance: Chance;
  readonly trace: Trace;
  readonly broker: InMemoryBroker;
  readonly store: Store;
  readonly locks: AdvisoryLocks;
  readonly cinder: Cinder;
  readonly hosts: ReadonlyMap<HostName, SimulatedHost>;
  readonly cinderFaults: CallFaults;
  readonly nextStoreCall: () => StoreCall;
  readonly nextPublish: () => PublishFault;
  readonly mutation: Mutation | null;
  readonly log: (who: string) => Log;
}

/** A rule of the product that is broken on purpose, to see that the simulation finds it. */
export type Mutation =
  | 'store-ignores-versions'
  | 'journal-admits-all'
  | 'deadline-is-failure'
  | 'host-reports-what-was-wanted'
  | 'no-second-look';
