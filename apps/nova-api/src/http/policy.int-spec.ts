import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { openNovaPolicy, type RemoteQuestion } from '@novella/policy';
import { systemClock } from '@novella/service-kit';
import { temporaryDirectory, type TemporaryDirectory } from '@novella/testing';
import type { NovaApiPorts } from '../ports.js';
import {
  activeServer,
  ADMIN,
  FLAVOR,
  IMAGE,
  newServer,
  OTHER_PROJECT,
  PROJECT,
  startNovaApi,
  STRANGER,
  type TestApi,
  USER,
} from '../testing/start-nova-api.js';

/** What an operator's rules do to the API. */
let directory: TemporaryDirectory;
let api: TestApi;
beforeEach(async () => {
  directory = await temporaryDirectory();
});
afterEach(async () => {
  await api.close();
  await directory.remove();
});

const silent = { debug: ignore, info: ignore, warn: ignore, error: ignore };
function ignore(): void {}

async function startWith(
  rules: Readonly<Record<string, string>>,
  options: { newDefaults?: boolean; askPolicyServer?: NovaApiPorts['askPolicyServer'] } = {},
): Promise<void> {
  const policyFile = join(directory.path, 'policy.yaml');
  writeFileSync(policyFile, JSON.stringify(rules));
  const { newDefaults = true, ...ports } = options;
  const policy = openNovaPolicy({ policyFile, policyNewDefaults: newDefaults }, { clock: systemClock, log: silent });
  api = await startNovaApi({}, undefined, { policy, ...ports });
}
const SERVER = { server: { name: 'vm', flavorRef: FLAVOR.id, imageRef: IMAGE, networks: 'none' } };
const create = (as?: string) =>
  api.ask('POST', '/v2.1/servers', { version: '2.51', body: SERVER, ...(as === undefined ? {} : { as }) });
const get = (url: string, as: string = USER, version = '2.90') => api.ask('GET', `/v2.1${url}`, { as, version });

describe('an operator’s rule', () => {
  it('takes away what everybody may, with Nova’s words', async () => {
    await startWith({ 'os_compute_api:servers:create': '!' });
    const answer = await create(ADMIN);
    expect(answer.code).toBe(403);
    expect(answer.json).toEqual({
      forbidden: { code: 403, message: "Policy doesn't allow os_compute_api:servers:create to be performed." },
    });
  });

  it('gives what only administrators may', async () => {
    await startWith({ 'os_compute_api:os-services:list': 'rule:project_reader_api' });
    expect((await get('/os-services')).code).toBe(403);
    await api.close();
    // Nova asks it without a target.
    await startWith({ 'os_compute_api:os-services:list': 'role:reader' });
    expect((await get('/os-services')).code).toBe(200);
  });

  it('decides who is an administrator', async () => {
    await startWith({ context_is_admin: 'user_id:alice' });
    const id = await newServer(api, STRANGER);
    expect((await get(`/servers/${id}`, USER)).code).toBe(200);
    expect((await get(`/servers/${id}`, ADMIN.replace(OTHER_PROJECT, PROJECT))).code).toBe(404);
  });

  it('under an old name counts for the new ones', async () => {
    await startWith({ 'os_compute_api:os-instance-actions': '!' });
    const id = await newServer(api);
    expect((await get(`/servers/${id}/os-instance-actions`)).code).toBe(403);
  });

  it('lets old defaults hold beside the new, if it is said so', async () => {
    const rules = { project_member_api: 'role:nobody', project_reader_api: 'role:nobody' };
    await startWith(rules);
    expect((await create()).code).toBe(403);
    await api.close();
    await startWith({}, { newDefaults: false });
    expect((await create()).code).toBe(202);
  });

  it('may look at the owner', async () => {
    await startWith({ 'os_compute_api:servers:delete': 'user_id:%(user_id)s' });
    const id = await activeServer(api);
    expect((await api.ask('DELETE', `/v2.1/servers/${id}`, { as: `bob:${PROJECT}` })).code).toBe(403);
    expect((await api.ask('DELETE', `/v2.1/servers/${id}`)).code).toBe(204);
  });

  it('about all projects is asked of the caller’s own, as in Nova', async () => {
    await startWith({
      'os_compute_api:servers:index:get_all_tenants': 'rule:project_reader_api',
      'os_compute_api:servers:allow_all_filters': 'rule:project_reader_api',
    });
    const id = await newServer(api, STRANGER);
    expect((await get('/servers?all_tenants=1')).json.servers.map((each) => each.id)).toEqual([id]);
    expect((await get('/servers/detail?all_tenants=1')).code).toBe(403);
    expect((await get(`/servers?all_tenants=1&uuid=${PROJECT}`)).json.servers).toEqual([]);
  });

  it('about the status of hosts is another than that about hosts', async () => {
    const keys = async () => {
      const id = await activeServer(api);
      const { server } = (await get(`/servers/${id}`)).json;
      return ['host_status', 'OS-EXT-SRV-ATTR:host'].filter((key) => key in server);
    };
    await startWith({ 'os_compute_api:os-extended-server-attributes': '@' });
    expect(await keys()).toEqual(['OS-EXT-SRV-ATTR:host']);
    await api.close();
    await startWith({ 'os_compute_api:servers:show:host_status': '@' });
    expect(await keys()).toEqual(['host_status']);
    await api.close();
    await startWith({ 'os_compute_api:servers:show:host_status:unknown-only': '@' });
    expect(await keys()).toEqual([]);
    const id = await activeServer(api);
    // By the test's clock, which goes on with every look.
    for (let second = 0; second < 3600; second += 1) await api.store.services('nova-compute');
    expect((await get(`/servers/${id}`)).json.server['host_status']).toBe('UNKNOWN');
  });
});

describe('a rule that another server decides', () => {
  const RULES = { 'os_compute_api:servers:create': 'rule:project_member_api and http://policy/%(project_id)s' };
  const servers = async () => (await get('/servers')).json.servers.length;
  let questions: RemoteQuestion[];
  const answering = (answer: () => Promise<boolean>) => ({
    askPolicyServer: (question: RemoteQuestion) => {
      questions.push(question);
      return answer();
    },
  });
  beforeEach(() => {
    questions = [];
  });

  it('is asked once, and what was asked for happens once', async () => {
    await startWith(
      RULES,
      answering(() => Promise.resolve(true)),
    );
    expect((await create()).code).toBe(202);
    expect(await servers()).toBe(1);
    expect(questions).toMatchObject([
      {
        url: `http://policy/${PROJECT}`,
        rule: 'os_compute_api:servers:create',
        target: { project_id: PROJECT },
        credentials: { user_id: 'alice', project_id: PROJECT, roles: ['member', 'reader'], is_admin: false },
      },
    ]);
  });

  it('refuses, and nothing happens', async () => {
    await startWith(
      RULES,
      answering(() => Promise.resolve(false)),
    );
    expect((await create()).code).toBe(403);
    expect(await servers()).toBe(0);
  });

  it('is not asked where the rest of the rule refuses', async () => {
    await startWith(
      { ...RULES, project_member_api: '!' },
      answering(() => Promise.resolve(true)),
    );
    expect((await create()).code).toBe(403);
    expect(questions).toEqual([]);
  });

  it('is 503 where that one does not answer, and nothing happens', async () => {
    await startWith(
      RULES,
      answering(() => Promise.reject(new Error('away'))),
    );
    const answer = await create();
    expect([answer.code, answer.text.includes('away')]).toEqual([503, false]);
    expect(await servers()).toBe(0);
  });

  it('is denied, without a question, where it only shapes an answer', async () => {
    await startWith({ 'os_compute_api:os-extended-server-attributes': 'http://policy' });
    const id = await newServer(api);
    expect((await get(`/servers/${id}`, ADMIN)).json.server).not.toHaveProperty(['OS-EXT-SRV-ATTR:host']);
  });
});
