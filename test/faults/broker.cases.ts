import { afterEach, expect, it } from '@jest/globals';
import { waitUntil } from '@novella/testing';
import { untilHealth } from './api-health.js';
import type { Accepted, Fleet } from './fleet.js';
import type { Region } from './region.js';

const LONG = 180_000;
/** They take milliseconds; on a machine where one takes longer the broker is killed while it is well. */
const LONGER_THAN_ANY_COMMAND_MS = 2_000;

interface Alarm {
  readonly raise: readonly string[];
  readonly reason: RegExp;
  readonly end: readonly string[];
}
const NEARLY_FULL: Alarm = {
  raise: ['set_disk_free_limit', '1000000000000'],
  reason: /disk/,
  end: ['set_disk_free_limit', '1MB'],
};
const NO_MEMORY: Alarm = {
  raise: ['set_vm_memory_high_watermark', '0'],
  reason: /memory/,
  end: ['set_vm_memory_high_watermark', '0.6'],
};

export function outlastTheBrokersTroubles(at: () => { readonly region: Region; readonly fleet: Fleet }): void {
  afterEach(() => at().region.brokerDisk?.free());

  it.each([
    ['its disk is nearly full', NEARLY_FULL],
    ['its memory is used up', NO_MEMORY],
  ])(
    'while %s the broker takes nothing: events are accepted, the health says why, and all are done afterwards',
    async (_why, { raise, reason, end }) => {
      const { region, fleet } = at();
      const before = await fleet.guestSizes();
      const size = await fleet.growAtCinder();
      await region.rabbit.rabbitmqctl(...raise);
      const accepted = await fleet.tell();
      const { status, reasonOf } = await untilHealth(region, 'degraded');
      expect([status, reasonOf('broker')]).toEqual([200, expect.stringMatching(reason)]);
      accepted.push(...(await fleet.tell()));
      expect(await fleet.account(accepted)).toMatchObject({ lost: 0, open: accepted.length });
      expect(await fleet.guestSizes()).toEqual(before);

      await region.rabbit.rabbitmqctl(...end);
      await fleet.untilDone(accepted);
      expect(await fleet.guestSizes()).toEqual([size]);
      await untilHealth(region, 'ready');
    },
    LONG,
  );

  it(
    'with its file system full the broker loses nothing: all is done when there is room and it was started again',
    async () => {
      const { region, fleet } = at();
      const size = await fleet.growAtCinder();
      await region.brokerDisk?.fill();
      const accepted = await acceptedUntilTheBrokerFails(region, fleet);
      await region.rabbit.kill();
      await region.brokerDisk?.free();
      await region.rabbit.start();
      await fleet.untilDone(accepted);
      expect(await fleet.guestSizes()).toEqual([size]);
      await untilHealth(region, 'ready');
    },
    LONG,
  );
}

/**
 * Its last page takes some messages yet. It has failed when it refuses a command, or keeps one that it neither delivers
 * nor refuses.
 */
async function acceptedUntilTheBrokerFails(region: Region, fleet: Fleet): Promise<Accepted[]> {
  const accepted: Accepted[] = [];
  let since = performance.now();
  const hasFailed = async () => {
    const open = await region.store.operations({ open: true, limit: 100 });
    if (open.length === 0) {
      accepted.push(...(await fleet.tell()));
      since = performance.now();
    }
    const isStuck = performance.now() - since > LONGER_THAN_ANY_COMMAND_MS;
    return isStuck || open.some(({ waitingFor }) => waitingFor === 'host');
  };
  await waitUntil(hasFailed, { what: 'the broker to fail', every: 100, timeout: 60_000 });
  accepted.push(...(await fleet.tell()));
  expect(await fleet.account(accepted)).toMatchObject({ lost: 0 });
  return accepted;
}
