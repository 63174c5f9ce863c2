import { beforeAll, describe, expect, it } from '@jest/globals';
import { readFacts } from '../deployment/facts.js';
import { Cloud } from './cloud.js';
import { type Inventory, takeInventory } from './inventory.js';
import { runTempest } from './tempest.js';

const EXTEND = 'tempest.api.volume.test_volumes_extend.VolumesExtendAttachedTest.test_extend_attached_volume';
const facts = await readFacts();
const whereWanted = facts.skipped.includes('tempest') ? describe.skip : describe;

whereWanted("OpenStack's own integration tests", () => {
  let cloud: Cloud;
  let before: Inventory;

  beforeAll(async () => {
    cloud = await Cloud.open();
    before = await takeInventory(cloud.facts);
  });

  it('have an attached volume extended, and find the action and its event', async () => {
    const { code, output } = await runTempest(facts, cloud.images.virtio, [EXTEND]);
    expect(output).toMatch(/test_extend_attached_volume\[.*\] \.\.\. ok$/m);
    expect(output).toMatch(/^Ran 1 test/m);
    expect(code).toBe(0);
  }, 300_000);

  it('leave nothing behind', async () => {
    await cloud.untilAsBefore(before);
  });
});
