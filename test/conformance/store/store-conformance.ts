import { afterAll, beforeAll, beforeEach, describe } from '@jest/globals';
import type { Store } from '@novella/persistence';
import { actionTests } from './actions.js';
import { claimTests } from './claims.js';
import { concurrencyTests } from './concurrency.js';
import { detachTests } from './detach.js';
import { eventTests } from './external-events.js';
import { flavorTests } from './flavors.js';
import { hostTests } from './hosts.js';
import { instanceTests } from './instances.js';
import { keyPairTests } from './key-pairs.js';
import { operatorTests } from './operator.js';
import { placingTests } from './placing.js';
import { placingRaceTests } from './placing-races.js';
import { powerTests } from './power.js';
import { reconcileTests } from './reconcile.js';
import { reservationTests } from './reservations.js';
import { serverChangeTests } from './server-changes.js';
import { serverListTests } from './server-list.js';
import { serviceTests } from './services.js';
import { endTests } from './endings.js';
import { engineReadTests } from './engine-reads.js';
import { transitionTests } from './transitions.js';
import { SESSIONS, type StoreHarness, type Subject } from './world.js';

/** The port's behaviour, for every implementation. */
export function storeConformance(name: string, open: () => Promise<StoreHarness>): void {
  describe(`Store: ${name} (rule 3.9b)`, () => {
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
    keyPairTests(subject);
    instanceTests(subject);
    serverListTests(subject);
    serverChangeTests(subject);
    reservationTests(subject);
    detachTests(subject);
    powerTests(subject);
    eventTests(subject);
    actionTests(subject);
    claimTests(subject);
    transitionTests(subject);
    endTests(subject);
    engineReadTests(subject);
    placingTests(subject);
    placingRaceTests(subject);
    reconcileTests(subject);
    hostTests(subject);
    serviceTests(subject);
    operatorTests(subject);
    concurrencyTests(subject);
  });
}
