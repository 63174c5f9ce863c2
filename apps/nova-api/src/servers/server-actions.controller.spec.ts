import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { ErrorCode, PowerState, ServerId } from '@novella/core';
import {
  activeServer,
  ADMIN,
  built,
  HOST,
  newServer,
  startNovaApi,
  STRANGER,
  type TestApi,
} from '../testing/start-nova-api.js';

const VOLUME = '99999999-8888-4777-8666-555555555555';

let api: TestApi;
let server: ServerId;
beforeEach(async () => {
  api = await startNovaApi();
  server = await activeServer(api);
});
afterEach(() => api.close());

const act = (body: unknown, id: string = server, options: object = {}) =>
  api.ask('POST', `/v2.1/servers/${id}/action`, { body, ...options });
const show = async (id: string = server, as?: string) =>
  (await api.ask('GET', `/v2.1/servers/${id}`, { version: '2.96', ...(as === undefined ? {} : { as }) })).json.server;
const open = async (id: ServerId = server) => {
  const operations = await api.store.operations({ serverId: id, open: true, limit: 10 });
  return operations.map(({ kind, state, request, requestedSeq }) => ({ kind, state, request, requestedSeq }));
};
const actions = async (id: string = server) =>
  (await api.ask('GET', `/v2.1/servers/${id}/os-instance-actions`)).json.instanceActions.map(({ action }) => action);
const stoppedServer = async () => built(api, await newServer(api), 'stopped');

describe('os-stop, os-start, reboot', () => {
  it('stop is accepted with 202 and nothing else: an operation, an action and a task state', async () => {
    const hints = api.hints();
    const answer = await act({ 'os-stop': null });
    expect([answer.code, answer.text]).toEqual([202, '']);
    expect(await show()).toMatchObject({ status: 'ACTIVE', 'OS-EXT-STS:task_state': 'powering-off' });
    expect(await open()).toMatchObject([{ kind: 'stop', state: 'queued', request: {} }]);
    expect(await actions()).toEqual(['stop', 'create']);
    expect(api.hints()).toBe(hints + 1);
  });

  it('start takes a stopped server', async () => {
    const id = await stoppedServer();
    expect((await act({ 'os-start': null }, id)).code).toBe(202);
    expect(await show(id)).toMatchObject({ status: 'SHUTOFF', 'OS-EXT-STS:task_state': 'powering-on' });
    expect(await open(id)).toMatchObject([{ kind: 'start' }]);
  });

  it.each([
    ['SOFT', 'soft', 'REBOOT'],
    ['Soft', 'soft', 'REBOOT'],
    ['soft', 'soft', 'REBOOT'],
    ['HARD', 'hard', 'HARD_REBOOT'],
    ['Hard', 'hard', 'HARD_REBOOT'],
    ['hard', 'hard', 'HARD_REBOOT'],
  ])('reboot of type %s is %s and shows %s', async (type, asked, status) => {
    expect((await act({ reboot: { type } })).code).toBe(202);
    expect(await show()).toMatchObject({ status });
    expect(await open()).toMatchObject([{ kind: 'reboot', request: { type: asked } }]);
    expect(await actions()).toEqual(['reboot', 'create']);
  });

  it('a hard reboot joins a soft one that hangs; another soft one is refused', async () => {
    await act({ reboot: { type: 'SOFT' } });
    expect((await act({ reboot: { type: 'SOFT' } })).code).toBe(409);
    expect((await act({ reboot: { type: 'HARD' } })).code).toBe(202);
    expect(await open()).toMatchObject([{ kind: 'reboot', request: { type: 'hard' }, requestedSeq: 2 }]);
    expect(await show()).toMatchObject({ status: 'HARD_REBOOT' });
  });

  it.each(['{"os-stop": null}', '{"os-stop": {}}', '{"os-stop": "now"}'])('takes any value: %s', async (body) => {
    expect((await act(body)).code).toBe(202);
  });

  it.each<[string, unknown, () => Promise<ServerId>, RegExp]>([
    ['a start of one that runs', { 'os-start': null }, () => Promise.resolve(server), /'start'.*vm_state active$/],
    ['a stop of one that is stopped', { 'os-stop': null }, stoppedServer, /'stop'.*vm_state stopped$/],
    [
      'a soft reboot of one that is stopped',
      { reboot: { type: 'SOFT' } },
      stoppedServer,
      /'reboot'.*vm_state stopped$/,
    ],
    ['a start of one that builds', { 'os-start': null }, () => newServer(api), /is not ready$/],
    ['a reboot of one that builds', { reboot: { type: 'HARD' } }, () => newServer(api), /'reboot'.*vm_state building$/],
  ])('refuses %s with 409, in Nova’s words, and writes nothing (rule 3.6c)', async (_, body, make, message) => {
    const id = await make();
    const before = await show(id);
    const answer = await act(body, id);
    expect(answer.code).toBe(409);
    expect(answer.json.conflictingRequest).toEqual({ code: 409, message: expect.stringMatching(message) });
    expect(await show(id)).toEqual(before);
    expect(await actions(id)).toEqual(['create']);
  });

  it('names the task when the server has one', async () => {
    await act({ 'os-stop': null });
    const answer = await act({ 'os-stop': null });
    const message = `Cannot 'stop' instance ${server} while it is in task_state powering-off`;
    expect(answer.json.conflictingRequest).toEqual({ code: 409, message });
  });

  it('accepts one of many stops at once', async () => {
    const codes = (await Promise.all([1, 2, 3, 4].map(() => act({ 'os-stop': null })))).map(({ code }) => code);
    expect(codes.toSorted()).toEqual([202, 409, 409, 409]);
    expect(await open()).toHaveLength(1);
  });

  it('says the state that the store found when the server changed in between', async () => {
    const late = await startNovaApi({}, (store) => ({
      ...store,
      requestPower: async (input) => {
        await store.requestDelete(input.serverId, input.requester);
        return store.requestPower(input);
      },
    }));
    try {
      const id = await activeServer(late);
      const answer = await late.ask('POST', `/v2.1/servers/${id}/action`, { body: { 'os-stop': null } });
      const message = `Cannot 'stop' instance ${id} while it is in task_state deleting`;
      expect(answer.json.conflictingRequest).toEqual({ code: 409, message });
    } finally {
      await late.close();
    }
  });
});

describe('pause, unpause, suspend, resume', () => {
  /** As a host tells it: the state follows. */
  const guestIs = (powerState: PowerState) => api.store.recordPowerState(HOST, server, powerState);

  it.each([
    ['pause', 'running', 'ACTIVE', 'pausing'],
    ['unpause', 'paused', 'PAUSED', 'unpausing'],
    ['suspend', 'running', 'ACTIVE', 'suspending'],
    ['resume', 'saved', 'SUSPENDED', 'resuming'],
  ] as const)('%s takes a server whose guest is %s', async (action, powerState, status, task) => {
    await guestIs(powerState);
    const answer = await act({ [action]: null });
    expect([answer.code, answer.text]).toEqual([202, '']);
    expect(await show()).toMatchObject({ status, 'OS-EXT-STS:task_state': task });
    expect(await open()).toMatchObject([{ kind: action, state: 'queued', request: {} }]);
    expect(await actions()).toEqual([action, 'create']);
    const again = await act({ [action]: {} });
    const message = `Cannot '${action}' instance ${server} while it is in task_state ${task}`;
    expect(again.json.conflictingRequest).toEqual({ code: 409, message });
    expect((await act({ [action]: null }, server, { as: STRANGER })).code).toBe(404);
  });

  it.each([
    ['pause', 'paused', 'paused'],
    ['unpause', 'running', 'active'],
    ['suspend', 'paused', 'paused'],
    ['resume', 'shutdown', 'stopped'],
  ] as const)('%s is a 409 for a server whose guest is %s', async (action, powerState, vmState) => {
    await guestIs(powerState);
    const answer = await act({ [action]: null });
    const message = `Cannot '${action}' instance ${server} while it is in vm_state ${vmState}`;
    expect(answer.json.conflictingRequest).toEqual({ code: 409, message });
    expect(await open()).toEqual([]);
  });

  it('a suspended server is shut down to the hypervisor, as in Nova, and takes no disk away', async () => {
    await guestIs('saved');
    expect(await show(server)).toMatchObject({ status: 'SUSPENDED', 'OS-EXT-STS:power_state': 4 });
    api.cinder.add(VOLUME, { status: 'in-use' });
    const body = { volumeAttachment: { volumeId: VOLUME } };
    expect((await api.ask('POST', `/v2.1/servers/${server}/os-volume_attachments`, { body })).code).toBe(409);
  });

  it.each(['pause', 'suspend'] as const)('a hard reboot overtakes a %s that no host has', async (action) => {
    await act({ [action]: null });
    expect((await act({ reboot: { type: 'HARD' } })).code).toBe(202);
    expect(await open()).toMatchObject([{ kind: 'reboot', request: { type: 'hard' } }]);
    expect(await show()).toMatchObject({ status: 'HARD_REBOOT' });
  });
});

describe('POST /servers/{id}/action', () => {
  it.each<[string, unknown]>([
    ['no key', {}],
    ['two keys', { 'os-stop': null, 'os-start': null }],
    ['a list', [{ 'os-stop': null }]],
    ['a text', '"os-stop"'],
    ['null', 'null'],
    ['no body', undefined],
    ['no JSON', '{'],
    ['no type', { reboot: {} }],
    ['a type that is null', { reboot: { type: null } }],
    ['a type in another spelling', { reboot: { type: 'hArD' } }],
    ['a type that is a list', { reboot: { type: ['HARD'] } }],
    ['a reboot that is null', { reboot: null }],
    ['a key too many', { reboot: { type: 'HARD', force: true } }],
    ['a length in words', { 'os-getConsoleOutput': { length: 'all' } }],
    ['a length that is a list', { 'os-getConsoleOutput': { length: [5] } }],
    ['half a line', { 'os-getConsoleOutput': { length: 1.5 } }],
    ['a length below -1', { 'os-getConsoleOutput': { length: -2 } }],
    ['a console that is null', { 'os-getConsoleOutput': null }],
    ['an unknown key of the console', { 'os-getConsoleOutput': { lines: 5 } }],
  ])('answers 400 to %s', async (_, body) => {
    const answer = await act(body);
    expect([answer.code, answer.json.badRequest.code]).toEqual([400, 400]);
    expect(await open()).toEqual([]);
    expect(api.hosts.asked).toEqual([]);
  });

  it.each(['os-fly', 'resize', 'constructor.name', 'toString'])('knows no action %s', async (name) => {
    const answer = await act({ [name]: null });
    expect(answer.json.badRequest).toEqual({ code: 400, message: `There is no such action: ${name}` });
  });

  it.each<[string, unknown]>([
    ['stop', { 'os-stop': null }],
    ['start', { 'os-start': null }],
    ['reboot', { reboot: { type: 'HARD' } }],
    ['console', { 'os-getConsoleOutput': {} }],
  ])('%s: 404 for a stranger and for ids that nobody has; an administrator may', async (_, body) => {
    api.hosts.consoles.set(server, '');
    expect((await act(body, server, { as: STRANGER })).code).toBe(404);
    for (const id of ['00000000-1111-4222-8333-444444444444', 'vm-1', '%00']) {
      expect((await act(body, id)).json.itemNotFound.code).toBe(404);
    }
    expect([200, 202, 409]).toContain((await act(body, server, { as: ADMIN })).code);
  });
});

describe('os-getConsoleOutput', () => {
  const console = (options: object = {}, id: string = server) => act({ 'os-getConsoleOutput': options }, id);
  const TEXT = 'one\ntwo\nthree';
  beforeEach(() => void api.hosts.consoles.set(server, TEXT));

  it.each<[string, object, number | null, string]>([
    ['all without a length', {}, null, TEXT],
    ['all for null', { length: null }, null, TEXT],
    ['all for -1', { length: -1 }, null, TEXT],
    ['all for any negative text', { length: '-50' }, null, TEXT],
    ['the last lines', { length: 2 }, 2, 'two\nthree'],
    ['the last lines, said in text', { length: '1' }, 1, 'three'],
    ['nothing for 0', { length: 0 }, 0, ''],
    ['no more than a console can have', { length: '9'.repeat(400) }, 102_400, TEXT],
  ])('answers %s', async (_, options, lines, output) => {
    const answer = await console(options);
    expect([answer.code, answer.json]).toEqual([200, { output }]);
    expect(api.hosts.asked).toEqual([{ host: HOST, args: { server, lines } }]);
  });

  it('leaves out the characters that Nova leaves out', async () => {
    api.hosts.consoles.set(server, 'a\u0000b\u001b[1mc\r\n\td\u0008é');
    expect((await console()).json).toEqual({ output: 'ab[1mc\n\tdé' });
  });

  it('is not recorded as an action', async () => {
    await console();
    expect(await actions()).toEqual(['create']);
  });

  it('is 409 without a host, and no host is asked', async () => {
    const answer = await console({}, await newServer(api));
    expect(answer.json.conflictingRequest.message).toMatch(/is not ready$/);
    expect(api.hosts.asked).toEqual([]);
  });

  it.each<[ErrorCode, number]>([
    ['domain-not-found', 404],
    ['rpc-timeout', 500],
    ['rpc-no-route', 500],
    ['broker-unreachable', 503],
    ['hypervisor-unreachable', 500],
    ['rpc-remote-failure', 500],
  ])('%s is a %i that does not name the host', async (code, status) => {
    api.hosts.fail(code);
    const answer = await console();
    expect(answer.code).toBe(status);
    expect(answer.text).not.toContain(HOST);
  });
});
