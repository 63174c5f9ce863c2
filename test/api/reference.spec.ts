import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { ADMIN, USER } from '../../apps/nova-api/src/testing/start-nova-api.js';
import { exchangesIn, lasting, messageOf } from './exchanges.js';
import { REFERENCE_FILE } from './route-table.js';
import { openWorld, type World } from './world.js';

/** docs/api-reference.md: its examples are sent, and answered as they stand there. */
const page = readFileSync(REFERENCE_FILE, 'utf8');
describe('the example', () => {
  let world: World;
  /** What the page calls something, and what it is called here. */
  const names = new Map([
    ['$ADMIN_TOKEN', ADMIN],
    ['$USER_TOKEN', USER],
  ]);
  const here = (text: string): string =>
    [...names].reduce((named, [there, name]) => named.replaceAll(there, name), text);
  beforeAll(async () => {
    world = await openWorld(1);
    const { servers } = (await world.api.ask('GET', '/v2.1/servers/detail')).json;
    const placed = servers.find((server) => server['status'] === 'ACTIVE')!;
    const building = servers.find((server) => server['status'] === 'BUILD')!;
    const [attached] = (await world.api.store.blockDeviceMappings([placed.id])).get(placed.id)!;
    names.set('3df201cf-2451-44f2-8d25-a4ca826fc1f3', placed.id);
    names.set('c2c0f5b4-7f7d-4b0e-8f43-b8f8f8e6a001', building.id);
    names.set('0e63d806-6fe4-4ffc-99bf-f3dd056574c0', attached!.volumeId);
  });
  afterAll(() => world.close());

  const exchanges = exchangesIn(page);

  // In their order: later ones look at what earlier ones have done.
  it.each(exchanges.map(({ title, ...exchange }) => [title, exchange] as const))(
    '%s is answered as the page says',
    async (_, { request, answer }) => {
      const { first, headers, body } = messageOf(here(request));
      const [method, url = ''] = first;
      if (method === 'GET') await world.settle();
      const got = await world.api.ask(method as 'GET', url, { as: null, headers, ...(body === '' ? {} : { body }) });
      const said = messageOf(answer);
      for (const [name, value] of Object.entries(said.headers)) names.set(value, String(got.headers[name]));
      expect(got.code).toBe(Number(said.first[1]));
      expect(JSON.parse(lasting(got.text))).toEqual(JSON.parse(lasting(here(said.body))));
    },
  );

  it('is not the only one', () => {
    expect(exchanges.length).toBeGreaterThanOrEqual(8);
  });
});
