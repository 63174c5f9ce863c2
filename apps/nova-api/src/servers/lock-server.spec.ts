import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { gib, type ServerId } from '@novella/core';
import { activeServer, ADMIN, PROJECT, startNovaApi, STRANGER, type TestApi, USER } from '../testing/start-nova-api.js';

const ADMIN_HERE = `admin:${PROJECT}`;
const VOLUME = '99999999-8888-4777-8666-555555555555';

let api: TestApi;
let id: ServerId;
beforeEach(async () => {
  api = await startNovaApi();
  id = await activeServer(api);
});
afterEach(() => api.close());

const act = (body: unknown, { version = '2.73', as = USER } = {}) =>
  api.ask('POST', `/v2.1/servers/${id}/action`, { version, as, body });
const lock = (reason?: string, as = USER) =>
  act({ lock: reason === undefined ? null : { locked_reason: reason } }, { as });
const unlock = (as = USER) => act({ unlock: null }, { as });
const state = async () => {
  const { locked, locked_reason: reason } = (await api.ask('GET', `/v2.1/servers/${id}`, { version: '2.73' })).json
    .server;
  return [locked, reason];
};
const actions = async () => (await api.store.instanceActions(id)).map(({ action }) => action);

describe('lock', () => {
  it('answers 202, shows with its reason, and is an action that has ended well', async () => {
    const answer = await lock('mine');
    expect([answer.code, answer.text]).toEqual([202, '']);
    expect(await state()).toEqual([true, 'mine']);
    const { events, action } = (
      await api.ask(
        'GET',
        `/v2.1/servers/${id}/os-instance-actions/${String(answer.headers['x-compute-request-id'])}`,
        {
          version: '2.84',
        },
      )
    ).json.instanceAction;
    expect([action, events]).toMatchObject(['lock', [{ event: 'api_lock', result: 'Success', hostId: '' }]]);
  });

  it('a second time by the owner changes nothing, and by an administrator becomes his', async () => {
    await lock('mine');
    await lock('again');
    expect(await state()).toEqual([true, 'mine']);
    expect(await actions()).toEqual(['lock', 'create']);
    await lock(undefined, ADMIN);
    expect(await state()).toEqual([true, 'mine']);
    await lock('theirs', ADMIN);
    expect(await state()).toEqual([true, 'theirs']);
    expect((await unlock()).code).toBe(403);
  });

  it.each<[string, unknown, number]>([
    ['2.1', { lock: null }, 202],
    ['2.1', { lock: { anything: 1 } }, 202],
    ['2.72', { lock: { locked_reason: 'x' } }, 202],
    ['2.73', { lock: { locked_reason: 'x' } }, 202],
    ['2.73', { lock: {} }, 202],
    ['2.73', { lock: { locked_reason: '' } }, 400],
    ['2.73', { lock: { locked_reason: null } }, 400],
    ['2.73', { lock: { locked_reason: 'x'.repeat(256) } }, 400],
    ['2.73', { lock: { other: 'x' } }, 400],
    ['2.73', { lock: 'x' }, 400],
    ['2.73', { lock: [] }, 400],
    ['2.73', { lock: null, unlock: null }, 400],
  ])('at %s answers %j with %i', async (version, body, code) => {
    expect((await act(body, { version })).code).toBe(code);
    const reason = version === '2.73' && JSON.stringify(body).includes('"locked_reason":"x"') ? 'x' : null;
    expect(await state()).toEqual(code === 202 ? [true, reason] : [false, null]);
  });

  it('is 404 for a stranger', async () => {
    expect((await lock('x', STRANGER)).code).toBe(404);
    expect((await unlock(STRANGER)).code).toBe(404);
  });
});

describe('unlock', () => {
  it('answers 202 and takes the reason too', async () => {
    await lock('mine');
    expect((await unlock()).code).toBe(202);
    expect(await state()).toEqual([false, null]);
    expect(await actions()).toEqual(['unlock', 'lock', 'create']);
  });

  it('of a lock that an administrator made is 403 for the owner, and his again after it', async () => {
    await lock('theirs', ADMIN);
    expect((await unlock()).json.forbidden.code).toBe(403);
    expect((await unlock(ADMIN)).code).toBe(202);
    await lock();
    expect((await unlock(ADMIN)).code).toBe(202);
  });

  it('of a server that is not locked is 202', async () => {
    expect((await unlock()).code).toBe(202);
  });

  it('by an administrator of the same project is the owner’s', async () => {
    await lock('mine', ADMIN_HERE);
    expect((await unlock()).code).toBe(202);
  });
});

describe('a locked server', () => {
  const start = { 'os-start': null };
  const refused: [string, (as: string) => Promise<{ code: number }>][] = [
    ['a stop', (as) => act({ 'os-stop': null }, { as })],
    ['a start', (as) => act(start, { as })],
    ['a reboot', (as) => act({ reboot: { type: 'HARD' } }, { as })],
    ['a delete', (as) => api.ask('DELETE', `/v2.1/servers/${id}`, { as })],
    ['metadata', (as) => api.ask('POST', `/v2.1/servers/${id}/metadata`, { as, body: { metadata: { a: 'b' } } })],
    [
      'a volume',
      (as) =>
        api.ask('POST', `/v2.1/servers/${id}/os-volume_attachments`, {
          as,
          body: { volumeAttachment: { volumeId: VOLUME } },
        }),
    ],
  ];
  it.each(refused)('refuses %s with 409, and not from administrators', async (_, ask) => {
    api.cinder.add(VOLUME, { size: gib(1) });
    await lock();
    const answer = await ask(USER);
    expect(answer).toMatchObject({ code: 409, json: { conflictingRequest: { message: `Instance ${id} is locked` } } });
    const asAdministrator = await ask(ADMIN_HERE);
    // What else is wrong with it is said to administrators.
    if (asAdministrator.code === 409) expect(JSON.stringify(asAdministrator)).not.toContain('is locked');
  });

  it('refuses to give a volume back, but first says that it does not have it', async () => {
    api.cinder.add(VOLUME, { size: gib(1) });
    await lock();
    const path = `/v2.1/servers/${id}/os-volume_attachments/${VOLUME}`;
    expect((await api.ask('DELETE', path)).code).toBe(404);
    await unlock();
    const body = { volumeAttachment: { volumeId: VOLUME } };
    await api.ask('POST', `/v2.1/servers/${id}/os-volume_attachments`, { body });
    await lock();
    expect((await api.ask('DELETE', path)).json.conflictingRequest.message).toBe(`Instance ${id} is locked`);
  });

  it('still shows its console and takes tags and another name', async () => {
    await lock();
    api.hosts.consoles.set(id, 'boot');
    expect((await act({ 'os-getConsoleOutput': {} })).code).toBe(200);
    expect((await api.ask('PUT', `/v2.1/servers/${id}/tags/a`, { version: '2.26' })).code).toBe(201);
    expect((await api.ask('PUT', `/v2.1/servers/${id}`, { body: { server: { name: 'x' } } })).code).toBe(200);
  });
});
