import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { seconds } from '@novella/core';
import { manage } from '../../apps/manage/src/manage.js';
import { CellRunner, endOf, isAskedAgain } from './cinder-cells.js';
import { PLANTED } from './cinder-faults.js';
import { CELLS } from './cinder-stories.js';
import { Region } from './region.js';
import { TOKENS } from './user.js';
import { faultFor, REQUEST_CELLS, RequestRunner } from './user-requests.js';

const LONG = 180_000;

let region: Region;
let runner: CellRunner;
let requests: RequestRunner;
beforeAll(async () => {
  region = await Region.start({ conductorPatience: seconds(8), apiPatience: seconds(8), confirmWithin: seconds(10) });
  runner = new CellRunner(region);
  requests = new RequestRunner(region);
}, LONG);
afterAll(async () => {
  await runner.stop();
  await region.close();
}, LONG);

describe("each of the conductor's calls with each fault of Cinder:", () => {
  it.each(CELLS)(
    '$name',
    async (cell) => {
      const { story, row } = cell;
      const seen = await runner.seen(cell);
      const end = endOf(cell);
      if (row.meaning === 'away') {
        expect([seen.first.state, seen.first.waitingFor, seen.first.error?.code]).toEqual([
          'waiting',
          'cinder',
          story.undoes ?? row.code,
        ]);
        expect(seen.first.nextAt).not.toBeNull();
        if (seen.shown !== null) {
          expect(seen.shown).toMatch(/^state: +waiting for cinder$/m);
          expect(seen.shown).toMatch(/^next: .*Cinder.*looked at again at \d{4}-/m);
        }
      }
      if (isAskedAgain(cell)) {
        expect([seen.first.state, seen.first.error?.code]).toEqual(['waiting', story.undoes ?? row.code]);
        expect(seen.shown).toMatch(/^next: .*looked at again at \d{4}-/m);
      }
      expect([seen.ended.state, seen.ended.error?.code ?? null]).toEqual([
        end.error === null ? 'succeeded' : 'failed',
        end.error,
      ]);
      expect([seen.guestGib, seen.mappings]).toEqual([end.guestGib, end.guestGib > 0 ? 1 : 0]);
      if (end.volume === 'deleted') expect(seen.atCinder).toBeNull();
      else if (end.volume !== 'unknown') {
        expect(seen.atCinder).toMatchObject({ status: end.volume, attachments: end.volume === 'in-use' ? 1 : 0 });
      }
      expect(seen.read?.result).toBe(end.error === null ? 'Success' : 'Error');
      if (end.error !== null) expect(seen.read?.details).toContain(end.error);
    },
    LONG,
  );
});

describe("each of nova-api's own calls with each fault of Cinder:", () => {
  it.each(REQUEST_CELLS)(
    '$name',
    async (cell) => {
      const seen = await requests.seen(cell);
      expect(seen.met).toBeGreaterThan(0);
      const [status, key] = faultFor(cell);
      expect([seen.answer.status, Object.keys(seen.answer.json)]).toEqual([status, [key]]);
      expect(seen.answer.text).not.toContain(PLANTED);
      const { leaves } = cell.request;
      expect(seen.mappings).toBe(leaves === 'in-use' ? 1 : 0);
      for (const volume of seen.atCinder) {
        expect(volume).toMatchObject({ status: leaves, attachments: leaves === 'in-use' ? 1 : 0 });
      }
      // One that was begun before Cinder's answer was lost is shown as failed.
      expect(seen.servers.filter((state) => state !== 'error')).toEqual([]);
    },
    LONG,
  );
});

describe('after all that', () => {
  it('nothing is open, and no secret is in any row, log line or answer', async () => {
    await Promise.allSettled([
      ...CELLS.map((cell) => runner.seen(cell)),
      ...REQUEST_CELLS.map((cell) => requests.seen(cell)),
    ]);
    const env = { NOVELLA_DATABASE_URL: region.databaseUrl };
    expect((await manage(['operation', 'list', '--open', '--json'], env)).stdout).toBe('[]\n');
    const rows = await Promise.all(
      ['operation', 'instance_action_event', 'instance', 'block_device_mapping'].map((table) =>
        region.query<{ row: string }>(`select t::text as row from ${table} t`),
      ),
    );
    const texts = [...rows.flat().map(({ row }) => row), ...region.logged];
    expect(texts.length).toBeGreaterThan(CELLS.length);
    for (const secret of [PLANTED, ...TOKENS]) {
      expect(texts.filter((text) => text.includes(secret))).toEqual([]);
    }
  });
});
