import { expect, it } from '@jest/globals';
import { manage } from '../../apps/manage/src/manage.js';
import { healthOf, type Program, untilHealth, untilReason } from './program.js';
import type { Stack } from './stack.js';
import { User } from './user.js';

const LONG = 120_000;
type Part = 'broker' | 'database' | 'apps';

/** The three of them, with where their health is. */
export interface Apps {
  readonly api: Program;
  readonly conductor: Program;
  readonly compute: Program;
  readonly health: { readonly api: string; readonly conductor: string; readonly compute: string };
}

export async function startApps(stack: Stack): Promise<Apps> {
  const [api, conductor, compute] = [stack.api(), stack.conductor('conductor-1'), stack.compute('host-1')];
  const served = await Promise.all([conductor, compute].map((program) => program.says('the health is served')));
  const [ofConductor, ofCompute] = served.map((line) => String(line['url']));
  await api.says('serving');
  const health = { api: `${stack.apiUrl}/health`, conductor: ofConductor ?? '', compute: ofCompute ?? '' };
  return { api, conductor, compute, health };
}

export const allReady = ({ health }: Apps): Promise<unknown> =>
  Promise.all(Object.values(health).map((url) => untilHealth(url, 'ready')));

export function startsInAnyOrder(at: () => Stack): void {
  it(
    'before the schema was made, they wait for `novella-manage migrate` and say so',
    async () => {
      const stack = at();
      const [, conductor] = [stack.api(), stack.conductor('conductor-1')];
      const health = [`${stack.apiUrl}/health`, String((await conductor.says('the health is served'))['url'])];
      for (const url of health) {
        const seen = await untilReason(url, 'database', /no schema.*novella-manage migrate/);
        expect([seen.status, seen.report.state]).toEqual([503, 'not-ready']);
      }
      const user = new User(stack);
      expect((await user.ask('GET', '/servers')).status).toBe(503);

      const env = { NOVELLA_DATABASE_URL: stack.databaseUrl };
      const first = await manage(['migrate', '--wait', '30', '--json'], env);
      expect([first.code, JSON.parse(first.stdout)]).toMatchObject([0, { flavors: 5 }]);
      const again = await manage(['migrate', '--json'], env);
      expect(JSON.parse(again.stdout)).toEqual({ applied: [], flavors: 0 });
      await Promise.all(health.map((url) => untilHealth(url, 'ready')));
      await stack.compute('host-1').says('serving');
      await user.untilService('nova-compute', 'host-1', 'up');
      await user.getsServer();
    },
    LONG,
  );

  it.each<[Part, Part, Part]>([
    ['broker', 'database', 'apps'],
    ['broker', 'apps', 'database'],
    ['database', 'apps', 'broker'],
    ['apps', 'broker', 'database'],
    ['apps', 'database', 'broker'],
  ])(
    '%s, then %s, then %s',
    async (...order) => {
      const stack = at();
      await stack.endPrograms();
      await stack.toBroker.close();
      await stack.toDatabase.close();
      const there = new Set<Part>();
      let apps: Apps | null = null;
      for (const part of order) {
        if (part === 'broker') await stack.toBroker.open();
        if (part === 'database') await stack.toDatabase.open();
        if (part === 'apps') apps = await startApps(stack);
        there.add(part);
        if (apps !== null && there.size < 3) await saysWhatIsMissing(apps, there);
      }
      if (apps === null) throw new Error('the apps were never started');
      await allReady(apps);
      await new User(stack).getsServer();
    },
    LONG,
  );
}

async function saysWhatIsMissing({ health }: Apps, there: ReadonlySet<Part>): Promise<void> {
  const broker = there.has('broker') ? null : /broker-unreachable/;
  const database = there.has('database') ? null : /database-unreachable/;
  for (const url of [health.api, health.conductor]) {
    await untilReason(url, 'database', database);
    await untilReason(url, 'broker', broker);
  }
  const waits = there.has('database') ? /waits for the broker/ : /waits for the database/;
  const conductor = await untilReason(health.conductor, 'work', waits);
  const compute = await untilReason(health.compute, 'commands', there.has('broker') ? null : /waits for the broker/);
  const api = await healthOf(health.api);
  expect([api.status, conductor.status, compute.status]).toEqual([
    there.has('database') ? 200 : 503,
    503,
    there.has('broker') ? 200 : 503,
  ]);
}
