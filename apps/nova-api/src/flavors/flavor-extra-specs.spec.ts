import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { ADMIN, FLAVOR, startNovaApi, type TestApi, USER } from '../testing/start-nova-api.js';
import { whyNotExtraSpec } from './extra-spec-rules.js';

let api: TestApi;
beforeEach(async () => {
  api = await startNovaApi();
  await api.store.createFlavor({ ...FLAVOR, id: '2', name: 'plain', extraSpecs: {} });
  await api.store.createFlavor({ ...FLAVOR, id: '3', name: 'secret', isPublic: false });
});
afterEach(() => api.close());

const ask = (
  method: 'GET' | 'POST' | 'PUT' | 'DELETE',
  path: string,
  body?: unknown,
  { version = '2.96', as = ADMIN } = {},
) => api.ask(method, `/v2.1/flavors/${path}`, { version, as, ...(body === undefined ? {} : { body }) });
const specs = async (id: string) => (await ask('GET', `${id}/os-extra_specs`)).json.extra_specs;

describe('os-extra_specs', () => {
  it('are told together and one by one, as openstackclient asks for them', async () => {
    expect((await ask('GET', '1/os-extra_specs', undefined, { as: USER })).json).toEqual({
      extra_specs: { 'hw:cpu_policy': 'shared' },
    });
    expect((await ask('GET', '1/os-extra_specs/hw:cpu_policy')).json).toEqual({ 'hw:cpu_policy': 'shared' });
    for (const path of [
      '1/os-extra_specs/other',
      '1/os-extra_specs/constructor',
      '9/os-extra_specs',
      '3/os-extra_specs',
    ]) {
      expect((await ask('GET', path, undefined, { as: USER })).code).toBe(404);
    }
    expect((await ask('GET', '3/os-extra_specs')).code).toBe(200);
  });

  it('are added to, and replaced where the keys are the same', async () => {
    const body = { extra_specs: { 'hw:cpu_policy': 'dedicated', ssd: 'yes' } };
    const answer = await ask('POST', '1/os-extra_specs', body);
    expect([answer.code, answer.json]).toEqual([200, body]);
    expect(await specs('1')).toEqual(body.extra_specs);
    await ask('POST', '1/os-extra_specs', { extra_specs: {} });
    expect(await specs('1')).toEqual(body.extra_specs);
  });

  it('keep numbers as text', async () => {
    expect((await ask('POST', '2/os-extra_specs', { extra_specs: { a: 1, b: 1.5 } })).json.extra_specs).toEqual({
      a: 1,
      b: 1.5,
    });
    expect(await specs('2')).toEqual({ a: '1', b: '1.5' });
  });

  it('change by their key', async () => {
    expect((await ask('PUT', '1/os-extra_specs/hw:cpu_policy', { 'hw:cpu_policy': 'mixed' })).json).toEqual({
      'hw:cpu_policy': 'mixed',
    });
    expect((await ask('PUT', '1/os-extra_specs/ssd', { ssd: 'no' })).code).toBe(200);
    expect(await specs('1')).toEqual({ 'hw:cpu_policy': 'mixed', ssd: 'no' });
  });

  it('go by their key, once', async () => {
    expect((await ask('DELETE', '1/os-extra_specs/hw:cpu_policy')).code).toBe(200);
    expect((await ask('DELETE', '1/os-extra_specs/hw:cpu_policy')).code).toBe(404);
    expect(await specs('1')).toEqual({});
  });

  it('are an administrator’s to change', async () => {
    const as = USER;
    expect((await ask('POST', '1/os-extra_specs', { extra_specs: { a: 'b' } }, { as })).code).toBe(403);
    expect((await ask('PUT', '1/os-extra_specs/a', { a: 'b' }, { as })).code).toBe(403);
    expect((await ask('DELETE', '1/os-extra_specs/hw:cpu_policy', undefined, { as })).code).toBe(403);
  });

  it.each<['POST' | 'PUT' | 'DELETE', string, unknown, number]>([
    ['POST', '9/os-extra_specs', { extra_specs: { a: 'b' } }, 404],
    ['PUT', '9/os-extra_specs/a', { a: 'b' }, 404],
    ['DELETE', '9/os-extra_specs/a', undefined, 404],
    ['POST', '1/os-extra_specs', {}, 400],
    ['POST', '1/os-extra_specs', null, 400],
    ['POST', '1/os-extra_specs', { extra_specs: [] }, 400],
    ['POST', '1/os-extra_specs', { extra_specs: { 'a/b': 'c' } }, 400],
    ['POST', '1/os-extra_specs', { extra_specs: { '': 'c' } }, 400],
    ['POST', '1/os-extra_specs', { extra_specs: { a: null } }, 400],
    ['POST', '1/os-extra_specs', { extra_specs: { a: true } }, 400],
    ['POST', '1/os-extra_specs', { extra_specs: { a: 'x'.repeat(256) } }, 400],
    ['POST', '1/os-extra_specs', { extra_specs: { a: 'b' }, more: 1 }, 400],
    ['PUT', '1/os-extra_specs/a', { b: 'c' }, 400],
    ['PUT', '1/os-extra_specs/a', { a: 'b', c: 'd' }, 400],
    ['PUT', '1/os-extra_specs/a', {}, 400],
    ['PUT', '1/os-extra_specs/a', null, 400],
    ['PUT', '1/os-extra_specs/a', [], 400],
    ['POST', '1/os-extra_specs', { extra_specs: { a: 'b\u0000' } }, 200],
  ])('answer %s %s with %j by %i', async (method, path, body, code) => {
    expect((await ask(method, path, body)).code).toBe(code);
  });

  it.each([
    ['2.85', 'hw:cpu_policy', 'nonsense', 200],
    ['2.86', 'hw:cpu_policy', 'nonsense', 400],
    ['2.86', 'hw:nonsense', 'x', 400],
    ['2.86', 'mine:nonsense', 'x', 200],
    ['2.86', 'hw:numa_nodes', '0', 400],
  ])('are checked from 2.86: at %s %s=%s gives %i', async (version, key, value, code) => {
    expect((await ask('POST', '2/os-extra_specs', { extra_specs: { [key]: value } }, { version })).code).toBe(code);
    expect((await ask('PUT', `2/os-extra_specs/${key}`, { [key]: value }, { version })).code).toBe(code);
    expect(await specs('2')).toEqual(code === 200 ? { [key]: value } : {});
  });
});

describe('whyNotExtraSpec', () => {
  it.each([
    ['hw:cpu_policy', 'shared'],
    ['hw:numa_cpus.12', '1-4,^3'],
    ['hw:numa_mem.0', '512'],
    ['hw:mem_page_size', '2MB'],
    ['hw:pmem', 'a,b'],
    ['hw_rng:allowed', ' Yes'],
    ['quota:cpu_quota', '-1'],
    ['quota:vif_outbound_peak', '5'],
    ['quota:memory_shares_level', 'high'],
    ['resources:VCPU', '2'],
    ['resources_net1:CUSTOM_BIG', '2'],
    ['trait:CUSTOM_FAST', 'required'],
    ['trait-1:HW_CPU_X86_VMX', 'forbidden'],
    ['capabilities:cpu_info:features', '<in> avx'],
    ['aggregate_instance_extra_specs:ssd', 'anything'],
    ['pci_passthrough:alias', 'gpu:1, nic:2'],
    ['group_policy', 'isolate'],
    ['anything', 'at all'],
    ['nobody:knows', 'it'],
    ['constructor:x', 'y'],
  ])('takes %s=%s', (key, value) => {
    expect(whyNotExtraSpec(key, value)).toBeNull();
  });

  it.each([
    ['hw:cpu_policy', ''],
    ['hw:numa_cpus.a', '1'],
    ['hw:numa_mem.0', 'lots'],
    ['hw:mem_page_size', 'huge'],
    ['hw:redirected_usb_ports', '16'],
    ['hw_rng:allowed', 'maybe'],
    ['quota:cpu_shares', '-1'],
    ['quota:nonsense', '1'],
    ['resources:vcpu', '2'],
    ['resources:VCPU', 'two'],
    ['trait:CUSTOM_FAST', 'wanted'],
    ['capabilities:nonsense', 'x'],
    ['aggregate_instance_extra_specs:', 'x'],
    ['pci_passthrough:alias', 'gpu'],
    ['group_policy', 'nonsense'],
    ['hw:', 'x'],
  ])('refuses %s=%s', (key, value) => {
    expect(whyNotExtraSpec(key, value)).toMatch(/^Validation failed; /);
  });
});
