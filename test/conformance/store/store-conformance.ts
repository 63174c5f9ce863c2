import { afterAll, beforeAll, beforeEach, describe } from '@jest/globals';
import type { Store } from '@novella/persistence';
import { actionTests } from './actions.js';
import { claimTests } from './claims.js';
import { concurrencyTests } from './concurrency.js';
import { eventTests } from './external-events.js';
import { flavorTests } from './flavors.js';
import { hostTests } from './hosts.js';
import { instanceTests } from './instances.js';
import { placingTests } from './placing.js';
import { reconcileTests } from './reconcile.js';
import { reservationTests } from './reservations.js';
import { transitionTests } from './transitions.js';
import type { StoreHarness } from './world.js';

/** What the parts of the suite work with: the store is empty at the start of every test. */
export interface Subject {
  readonly store: () => Store;
  /** As many sessions on the same data; for the SQL store each has connections of its own. */
  readonly sessions: () => readonly Store[];
  readonly pass: (ms: number) => Promise<void>;
}

export const SESSIONS = 8;

/** The port's behaviour, for every implementation. */
export function storeConformance(name: string, open: () => Promise<StoreHarness>): void {
  describe(`Store: ${name}`, () => {
    let harness: StoreHarness;
    let sessions: readonly Store[] = [];
    beforeAll(async () => {
      harness = await open();
    }, 120_000);
    beforeEach(async () => {
      sessions = await harness.fresh(SESSIONS);
    });
    afterAll(() => harness.close(), 60_000);

    const subject: Subject = { store: () => sessions[0]!, sessions: () => sessions, pass: (ms) => harness.pass(ms) };
    flavorTests(subject);
    instanceTests(subject);
    reservationTests(subject);
    eventTests(subject);
    actionTests(subject);
    claimTests(subject);
    transitionTests(subject);
    placingTests(subject);
    reconcileTests(subject);
    hostTests(subject);
    concurrencyTests(subject);
  });
}
