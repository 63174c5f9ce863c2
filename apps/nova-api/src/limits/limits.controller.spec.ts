import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import {
  ADMIN,
  newServer,
  OTHER_PROJECT,
  PROJECT,
  startNovaApi,
  STRANGER,
  type TestApi,
  USER,
} from '../testing/start-nova-api.js';

let api: TestApi;
beforeEach(async () => {
  api = await startNovaApi();
  await newServer(api);
  await newServer(api);
  await newServer(api, `bob:${PROJECT}`);
});
afterEach(() => api.close());

const AT_2_57 = [
  'maxServerGroupMembers',
  'maxServerGroups',
  'maxServerMeta',
  'maxTotalCores',
  'maxTotalInstances',
  'maxTotalKeypairs',
  'maxTotalRAMSize',
  'totalCoresUsed',
  'totalInstancesUsed',
  'totalRAMUsed',
  'totalServerGroupsUsed',
];
const AT_2_39 = [...AT_2_57, 'maxPersonality', 'maxPersonalitySize'];
const AT_2_36 = [...AT_2_39, 'maxImageMeta'];
const AT_2_1 = [
  ...AT_2_36,
  'maxSecurityGroups',
  'maxSecurityGroupRules',
  'maxTotalFloatingIps',
  'totalFloatingIpsUsed',
  'totalSecurityGroupsUsed',
];

describe('GET /limits', () => {
  it.each([
    ['2.1', AT_2_1],
    ['2.35', AT_2_1],
    ['2.36', AT_2_36],
    ['2.38', AT_2_36],
    ['2.39', AT_2_39],
    ['2.56', AT_2_39],
    ['2.57', AT_2_57],
    ['2.96', AT_2_57],
  ])('has at %s exactly the limits of that version', async (version, names) => {
    const { limits } = (await api.ask('GET', '/v2.1/limits', { version })).json;
    expect(limits.rate).toEqual([]);
    expect(Object.keys(limits.absolute).toSorted()).toEqual(names.toSorted());
  });

  it('counts what the project has, and says what it may have', async () => {
    expect((await api.ask('GET', '/v2.1/limits')).json.limits.absolute).toMatchObject({
      totalInstancesUsed: 3,
      totalCoresUsed: 3,
      totalRAMUsed: 3 * 512,
      maxTotalInstances: -1,
      maxTotalKeypairs: 100,
      maxServerMeta: 128,
      maxServerGroups: 0,
    });
    expect((await api.ask('GET', '/v2.1/limits', { as: STRANGER })).json.limits.absolute).toMatchObject({
      totalInstancesUsed: 0,
    });
  });

  it.each<[string, string, string, number]>([
    ['2.1', '?reserved=1', USER, 200],
    ['2.74', '?color=red', USER, 200],
    ['2.75', '?color=red', USER, 400],
    ['2.75', `?tenant_id=${PROJECT}`, USER, 403],
    ['2.75', `?tenant_id=${PROJECT}`, ADMIN, 200],
    ['2.75', '?tenant_id=%00', ADMIN, 200],
  ])('at %s answers %s of %s with %i', async (version, query, as, code) => {
    expect((await api.ask('GET', `/v2.1/limits${query}`, { version, as })).code).toBe(code);
  });

  it('shows an administrator another project’s', async () => {
    const { limits } = (await api.ask('GET', `/v2.1/limits?tenant_id=${PROJECT}`, { as: ADMIN })).json;
    expect(limits.absolute['totalInstancesUsed']).toBe(3);
  });
});

const QUOTAS_2_57 = [
  'cores',
  'id',
  'instances',
  'key_pairs',
  'metadata_items',
  'ram',
  'server_group_members',
  'server_groups',
];
const QUOTAS_2_36 = [...QUOTAS_2_57, 'injected_file_content_bytes', 'injected_file_path_bytes', 'injected_files'];
const QUOTAS_2_1 = [...QUOTAS_2_36, 'fixed_ips', 'floating_ips', 'security_group_rules', 'security_groups'];

describe('GET /os-quota-sets/{project}', () => {
  const get = (rest = '', version = '2.57', as = USER) =>
    api.ask('GET', `/v2.1/os-quota-sets/${PROJECT}${rest}`, { version, as });

  it.each([
    ['2.1', QUOTAS_2_1],
    ['2.35', QUOTAS_2_1],
    ['2.36', QUOTAS_2_36],
    ['2.56', QUOTAS_2_36],
    ['2.57', QUOTAS_2_57],
  ])('has at %s exactly the quotas of that version, whichever way it is asked', async (version, names) => {
    for (const rest of ['', '/detail', '/defaults']) {
      const { quota_set } = (await get(rest, version)).json;
      expect(Object.keys(quota_set).toSorted()).toEqual(names.toSorted());
      expect(quota_set['id']).toBe(PROJECT);
    }
  });

  it('says limits, and in detail what is in use of them by the project or a user', async () => {
    expect((await get()).json.quota_set).toMatchObject({ instances: -1, metadata_items: 128 });
    expect((await get('/detail')).json.quota_set).toMatchObject({
      instances: { limit: -1, in_use: 3, reserved: 0 },
      ram: { limit: -1, in_use: 1536, reserved: 0 },
      key_pairs: { limit: 100, in_use: 0, reserved: 0 },
    });
    expect((await get('/detail?user_id=bob')).json.quota_set).toMatchObject({ instances: { in_use: 1 } });
  });

  it.each<[string, string, string, number]>([
    ['', '2.57', STRANGER, 403],
    ['/detail', '2.57', STRANGER, 403],
    ['/defaults', '2.57', STRANGER, 200],
    ['', '2.57', ADMIN, 200],
    ['?color=red', '2.74', USER, 200],
    ['?color=red', '2.75', USER, 400],
    ['/detail?color=red', '2.75', USER, 400],
    ['?user_id=alice', '2.75', USER, 200],
    ['/nope', '2.57', USER, 404],
  ])('answers %j at %s of %s with %i', async (rest, version, as, code) => {
    expect((await get(rest, version, as)).code).toBe(code);
  });

  it('is there for a project that has nothing', async () => {
    const answer = await api.ask('GET', `/v2.1/os-quota-sets/${OTHER_PROJECT}/detail`, { as: ADMIN });
    expect(answer.json.quota_set).toMatchObject({ instances: { in_use: 0 } });
  });
});
