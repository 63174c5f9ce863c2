import { describe } from '@jest/globals';
import { disksConformance } from './disks.conformance.js';
import { DriverFixture, type DriverUnderTest } from './fixture.js';
import { guestsConformance } from './guests.conformance.js';
import { powerConformance } from './power.conformance.js';
import { resizeConformance } from './resize.conformance.js';
import { sharingConformance } from './sharing.conformance.js';
import { suspendConformance } from './suspend.conformance.js';

/** What every driver must do, whatever is behind it. `open` gives one with no guests. */
export function virtDriverConformance(name: string, open: () => Promise<DriverUnderTest>): void {
  describe(`${name} as a virt driver`, () => {
    const fixture = new DriverFixture(open);
    guestsConformance(fixture);
    powerConformance(fixture);
    suspendConformance(fixture);
    disksConformance(fixture);
    resizeConformance(fixture);
    sharingConformance(fixture);
  });
}
