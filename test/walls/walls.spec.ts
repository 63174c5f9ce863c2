import 'reflect-metadata';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { ADMINISTRATOR, type Caller, CALLERS, named, OWNER } from './callers.js';
import { Cloud, request } from './cloud.js';
import { NOVA_ACTIONS, OPEN, type Row, TABLE } from './table.js';

/**
 * Every route for every caller. What each gets is worked out from the table of Nova's defaults, and who is refused has
 * changed nothing.
 */
let cloud: Cloud;
beforeAll(async () => {
  cloud = await Cloud.start();
});
async function anotherCloud(): Promise<void> {
  await cloud.api.close();
  cloud = await Cloud.start();
}
afterAll(() => cloud.api.close());

const titleOf = ({ route, asks }: Row): string => (asks === undefined ? route : `${route}, ${asks}`);

function expected(row: Row, caller: Caller): number {
  if (row.may === 'any token') return row.ok;
  // A token of a domain or of the system passes no rule. Nova tells it by 403 that a server exists, and by 404 that
  // another does not; here it gets 404 for both, as everybody outside of the project does.
  const isForProject = caller.scope === 'own' || caller.scope === 'other';
  const isAdmin = isForProject && caller.roles.includes('admin');
  if (row.of === 'server' && !isAdmin && caller.scope !== 'own') return 404;
  if (caller.scope === 'domain' || caller.scope === 'system') return 403;
  if (row.may === 'anybody' || isAdmin) return row.ok;
  if (row.of === 'named project' && caller.scope !== 'own') return 403;
  return isForProject && caller.roles.includes(row.may) ? row.ok : 403;
}

describe('what each caller gets', () => {
  it.each(TABLE.map((row) => [titleOf(row), row] as const))('of %s', async (_, row) => {
    // The host has room for the servers of one such row.
    if (row.of === 'server' && row.anew !== undefined) await anotherCloud();
    const wanted = new Map(CALLERS.map((caller) => [caller.name, expected(row, caller)]));
    const refused = CALLERS.filter(({ name }) => wanted.get(name) !== row.ok);
    const allowed = CALLERS.filter(({ name }) => wanted.get(name) === row.ok);
    const got = new Map<string, number>();
    const ask = async (caller: Caller, things: Awaited<ReturnType<Cloud['thingsFor']>>): Promise<void> => {
      const { method, url, options } = request(row, things);
      const { code } = await cloud.api.ask(method, url, { ...options, as: caller.name });
      got.set(caller.name, code);
      if (method !== 'GET') return;
      const headers = { 'x-auth-token': caller.name, 'openstack-api-version': `compute ${options.version}` };
      expect((await cloud.api.app.inject({ method: 'HEAD', url, headers })).statusCode).toBe(code);
    };

    const prepared = [];
    for (const caller of refused) prepared.push([caller, await cloud.thingsFor(row, caller)] as const);
    const before = await cloud.digest();
    for (const [caller, things] of prepared) await ask(caller, things);
    expect((await cloud.digest()) === before).toBe(true);
    for (const caller of allowed) await ask(caller, await cloud.thingsFor(row, caller));

    expect(Object.fromEntries(CALLERS.map(({ name }) => [name, got.get(name)]))).toEqual(Object.fromEntries(wanted));
  });
});

describe('the table', () => {
  it('has every route of the router, and no other', () => {
    const routes = cloud.routes.filter(
      (route) =>
        !route.endsWith(' /choices') && !(route.startsWith('HEAD ') && cloud.routes.includes(`GET${route.slice(4)}`)),
    );
    expect([...new Set([...TABLE.map(({ route }) => route), ...OPEN])].toSorted()).toEqual(routes.toSorted());
  });

  it('has every action of servers, and no other', async () => {
    const { server } = await cloud.thingsFor({ route: '', may: 'admin', of: 'server', ok: 0 }, named(ADMINISTRATOR));
    const served = [];
    for (const action of NOVA_ACTIONS) {
      const body = { [action]: null };
      const options = { as: ADMINISTRATOR, version: '2.96', body };
      const answer = await cloud.api.ask('POST', `/v2.1/servers/${server}/action`, options);
      if (!answer.text.includes('There is no such action')) served.push(action);
    }
    const described = TABLE.filter(({ route }) => route.endsWith('/servers/:id/action')).map(({ asks }) => asks);
    expect([...new Set(described)].toSorted()).toEqual(served.toSorted());
  });

  it('has callers of all kinds', () => {
    expect([new Set(CALLERS.map(({ name }) => name)).size, named(OWNER).scope]).toEqual([35, 'own']);
  });
});
