import { afterEach, expect, it } from '@jest/globals';
import { waitUntil } from '@novella/testing';
import { untilHealth } from './api-health.js';
import { type Accepted, acceptedBy, type Fleet } from './fleet.js';
import type { Region } from './region.js';
import type { Answer } from './user.js';

const LONG = 180_000;
/** More than a WAL segment holds. */
const MOST_POSTS = 20_000;
const REFUSALS = 5;
/** SQLSTATE disk_full. */
const DISK_FULL = '53100';

interface Posted {
  readonly accepted: readonly Accepted[];
  readonly refused: readonly Answer[];
}

export function outlastAFullDatabase(at: () => { readonly region: Region; readonly fleet: Fleet }): void {
  afterEach(() => at().region.databaseDisk?.free());

  it(
    'with its file system full Postgres takes no rows: the API says 503, never 200 without a row, and all goes on after it',
    async () => {
      const { region, fleet } = at();
      const volumes = await Promise.all(Array.from({ length: 5 }, () => fleet.user.volume()));
      const size = await fleet.growAtCinder();
      await region.databaseDisk?.fill();
      const posted = await postUntilRefused(fleet);
      const attaches: Answer[] = [];
      for (const volume of volumes) attaches.push(await fleet.user.attach(fleet.server, volume));
      await region.databaseDisk?.free();

      await untilHealth(region, 'ready');
      expectProperRefusals([...posted.refused, ...attaches.filter(({ status }) => status !== 200)]);
      // It was the disk, and nothing else, that refused.
      expect(region.logged.some((line) => line.includes(DISK_FULL))).toBe(true);
      await fleet.untilDone([...posted.accepted, ...(await fleet.tell())]);
      expect(await fleet.guestSizes()).toEqual([size]);
      for (const [index, answer] of attaches.entries()) {
        await expectWholeOrNotAtAll(region, fleet, volumes[index] ?? '', answer);
      }
    },
    LONG,
  );

  it(
    'with no room for its log Postgres crashes: started again it has every row that was answered 200',
    async () => {
      const { region, fleet } = at();
      const size = await fleet.growAtCinder();
      await region.query('checkpoint');
      await region.databaseDisk?.fill();
      const accepted: Accepted[] = [];
      const refused: Answer[] = [];
      const post = async () => {
        for (const volume of fleet.volumes) {
          const answer = await fleet.post(volume);
          if (answer.status === 200) accepted.push(acceptedBy(answer));
          else refused.push(answer);
        }
      };
      const crashed = () =>
        region.query('select pg_switch_wal()').then(
          () => post().then(() => false),
          () => true,
        );
      await waitUntil(crashed, { what: 'Postgres to crash', every: 10 });
      await post();
      await region.databaseDisk?.free();
      await region.startPostgres();

      await untilHealth(region, 'ready');
      expectProperRefusals(refused);
      await fleet.untilDone([...accepted, ...(await fleet.tell())]);
      expect(await fleet.guestSizes()).toEqual([size]);
    },
    LONG,
  );
}

async function postUntilRefused(fleet: Fleet): Promise<Posted> {
  const accepted: Accepted[] = [];
  const refused: Answer[] = [];
  for (let post = 0; post < MOST_POSTS && refused.length < REFUSALS; post++) {
    const answer = await fleet.post(fleet.volumes[post % fleet.volumes.length] ?? '');
    if (answer.status === 200) accepted.push(acceptedBy(answer));
    else refused.push(answer);
  }
  return { accepted, refused };
}

function expectProperRefusals(refused: readonly Answer[]): void {
  expect(refused.length).toBeGreaterThan(0);
  for (const { status, json } of refused) expect([status, Object.keys(json)]).toEqual([503, ['serviceUnavailable']]);
}

/** An attach that was answered 503 has left nothing at Cinder nor in our rows. */
async function expectWholeOrNotAtAll(region: Region, fleet: Fleet, volume: string, answer: Answer): Promise<void> {
  const attached = answer.status === 200;
  await fleet.user.untilVolume(volume, attached ? 'in-use' : 'available');
  expect(await fleet.user.atCinder(volume)).toMatchObject({ attachments: attached ? 1 : 0 });
  const rows = await region.query('select from block_device_mapping where volume_id = $1', [volume]);
  expect(rows.length).toBe(attached ? 1 : 0);
}
