import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { FLAVOR, IMAGE, startNovaApi, type TestApi } from '../testing/start-nova-api.js';

/** Every object has these keys by itself; in a request they are keys like others. */
const INHERITED = Object.getOwnPropertyNames(Object.prototype).filter((name) => name !== '__proto__');

let api: TestApi;
beforeAll(async () => {
  api = await startNovaApi();
});
afterAll(() => api.close());

const SERVER = { name: 'vm', flavorRef: FLAVOR.id, imageRef: IMAGE };
const create = (body: object) => api.ask('POST', '/v2.1/servers', { body });

describe('a key that objects inherit', () => {
  it.each(INHERITED)('%s is refused where it is not known', async (name) => {
    for (const value of ['x', {}, null]) {
      const [whole, inside, item] = [
        await create({ server: SERVER, [name]: value }),
        await create({ server: { ...SERVER, [name]: value } }),
        await create({ server: { ...SERVER, block_device_mapping_v2: [{ [name]: value }] } }),
      ];
      for (const { code, json } of [whole, inside, item]) {
        expect(code).toBe(400);
        expect(json.badRequest.message).toContain(`Additional properties are not allowed ('${name}' was unexpected)`);
      }
    }
  });

  it('is kept where any key may be', async () => {
    const metadata = Object.fromEntries(INHERITED.map((name) => [name, `of ${name}`]));
    const created = await create({ server: { ...SERVER, metadata } });
    expect(created.code).toBe(202);
    const shown = await api.ask('GET', `/v2.1/servers/${created.json.server.id}`);
    expect(shown.json.server['metadata']).toEqual(metadata);
  });

  it('is dropped under /v2, as other unknown keys are', async () => {
    const body = { server: { ...SERVER, toString: 'x', hasOwnProperty: {} } };
    expect((await api.ask('POST', '/v2/servers', { body })).code).toBe(202);
  });

  it.each(['toString', '__proto__', 'hasOwnProperty'])('%s is refused in a query from 2.75', async (name) => {
    expect((await api.ask('GET', `/v2.1/servers?${name}=1`, { version: '2.75' })).code).toBe(400);
    expect((await api.ask('GET', `/v2.1/servers?${name}=1&${name}=2`, { version: '2.74' })).code).toBe(200);
  });
});

it('__proto__ is no key of a body anywhere', async () => {
  const body = `{"server": {"name": "vm", "flavorRef": "1", "imageRef": "${IMAGE}", "metadata": {"__proto__": "x"}}}`;
  const answer = await api.ask('POST', '/v2.1/servers', { body });
  expect(answer.json.badRequest.message).toBe('Malformed request body');
});
