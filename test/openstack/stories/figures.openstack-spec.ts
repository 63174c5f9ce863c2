import { beforeAll, describe, it } from '@jest/globals';
import { BOOT_MS, Cloud, type Server, size } from './cloud.js';

const EXTENDS = 20;

/** Printed, not asserted: how long it takes is the machine's affair. */
describe('how long an extend takes', () => {
  let cloud: Cloud;
  let server: Server;

  beforeAll(async () => {
    cloud = await Cloud.open();
    server = await cloud.server('figures', cloud.images.virtio);
  }, BOOT_MS);

  it(`is told of ${EXTENDS} on the last back end`, async () => {
    const type = cloud.typesOf(['files', 'ceph']).at(-1) ?? 'files';
    const volume = await cloud.attachedVolume(server, type);
    const toTheGuest: number[] = [];
    for (let grown = 1; grown <= EXTENDS; grown += 1) {
      const accepted = await cloud.growAndTell(volume, 1 + grown);
      await server.guest.waitForSize(volume, size(1 + grown));
      toTheGuest.push(performance.now() - accepted);
      await cloud.untilVolume(volume, 'in-use', 1 + grown);
    }
    const ended = await cloud.ended(server.id, 'extend_volume', EXTENDS);
    const inNovella = ended.map(({ start_time, events }) => between(start_time, events[0]?.finish_time ?? ''));
    const say = (what: string, ms: number) => process.stdout.write(`          ${type}: ${what}: ${ms.toFixed(0)} ms\n`);
    say('event received to read back and recorded, p95', quantile(inNovella, 0.95));
    say("accepted by Cinder to the guest's own line, median", quantile(toTheGuest, 0.5));
    await cloud.detach(server, volume, 1 + EXTENDS);
    await cloud.deleteVolumes(volume);
    await cloud.deleteServers(server.id);
  }, 300_000);
});

/** Nova's timestamps have no zone. */
const between = (from: string, to: string): number => Date.parse(`${to}Z`) - Date.parse(`${from}Z`);

function quantile(values: readonly number[], part: number): number {
  const sorted = values.toSorted((one, other) => one - other);
  return sorted[Math.min(sorted.length - 1, Math.ceil(part * sorted.length) - 1)] ?? 0;
}
