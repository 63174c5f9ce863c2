import { beforeAll, describe, expect, it } from '@jest/globals';
import type { Operation } from '../api/operations.js';
import { type FuzzAnswer, mistakesOf } from './judge.js';
import { leakFinder } from './leaks.js';
import type { FuzzRequest } from './requests.js';

/** That the fuzz can fail: each mistake that it looks for is one to the judge. */
let leakIn: (text: string) => string | null;
beforeAll(async () => {
  leakIn = await leakFinder();
});

const ID = 'req-11111111-2222-4333-8444-555555555555';
const operation: Operation = {
  route: { method: 'GET', url: '/v2.1/flavors' },
  action: null,
  stretches: [],
  rules: [],
  successes: new Map([[200, { always: ['flavors'], sometimes: [] }]]),
  examples: [],
};
const request: FuzzRequest = { operation, method: 'POST', url: '/v2.1/servers', headers: {}, payload: undefined };
const FAULT: FuzzAnswer = {
  code: 400,
  headers: {
    'content-type': 'application/json; charset=UTF-8',
    'x-openstack-request-id': ID,
    'openstack-api-version': 'compute 2.1',
  },
  text: '{"badRequest":{"code":400,"message":"no"}}',
};
const SUCCESS: FuzzAnswer = {
  code: 200,
  headers: { 'content-type': 'application/json', 'x-openstack-request-id': ID },
  text: '{"flavors":[]}',
};
const KEYSTONES: FuzzAnswer = {
  code: 401,
  headers: { ...SUCCESS.headers, 'www-authenticate': 'Keystone uri="http://keystone.example/v3"' },
  text: '{"error":{"code":401,"title":"Unauthorized","message":"no"}}',
};
const mistakes = (answer: FuzzAnswer, written = false, changes: Partial<FuzzRequest> = {}): string[] =>
  mistakesOf({ ...request, ...changes }, answer, written, leakIn);
const saying = (message: string): FuzzAnswer => ({
  ...FAULT,
  text: JSON.stringify({ badRequest: { code: 400, message } }),
});

describe('the judge', () => {
  it('has nothing to say against what is right', () => {
    expect(mistakes(FAULT)).toEqual([]);
    expect(mistakes(SUCCESS, true)).toEqual([]);
    expect(mistakes({ ...SUCCESS, code: 202, text: '' }, true)).toEqual([]);
    expect(mistakes(KEYSTONES)).toEqual([]);
    expect(mistakes({ ...SUCCESS, text: '{"keypair":{"private_key":"x/AmQP/x"}}' })).toEqual([]);
    expect(mistakes({ ...SUCCESS, text: '{"x":"Error: the volume is not attached to the server"}' })).toEqual([]);
  });

  it.each<[string, FuzzAnswer]>([
    ['a 500', { ...FAULT, code: 500, text: '{"computeFault":{"code":500,"message":"x"}}' }],
    ['a 503', { ...FAULT, code: 503, text: '{"serviceUnavailable":{"code":503,"message":"x"}}' }],
    ['a 501', { ...FAULT, code: 501, text: '{"notImplemented":{"code":501,"message":"x"}}' }],
    ['the key of another code', { ...FAULT, text: '{"itemNotFound":{"code":400,"message":"x"}}' }],
    ['another code inside', { ...FAULT, text: '{"badRequest":{"code":404,"message":"x"}}' }],
    ['no message', { ...FAULT, text: '{"badRequest":{"code":400}}' }],
    ['more than a fault', { ...FAULT, text: '{"badRequest":{"code":400,"message":"x"},"more":1}' }],
    ['a fault of the framework', { ...FAULT, text: '{"statusCode":400,"error":"Bad Request","message":"x"}' }],
    ['a 401 without the challenge', { ...KEYSTONES, headers: SUCCESS.headers }],
    ['no JSON', { ...FAULT, text: 'Bad Request' }],
    ['another type', { ...FAULT, headers: { ...FAULT.headers, 'content-type': 'text/plain' } }],
    ['no request id', { ...FAULT, headers: { ...FAULT.headers, 'x-openstack-request-id': undefined } }],
    ['a header that names the server', { ...SUCCESS, headers: { ...SUCCESS.headers, 'x-powered-by': 'x' } }],
    ['a success that is no JSON', { ...SUCCESS, text: '<html>' }],
    ['a stack', saying('x at Object.handle (index:1:2)')],
    ['a path', saying('cannot open /usr/lib/x')],
    ['a source', saying('in request-hooks.ts')],
    ['SQL', saying('SELECT id FROM instance WHERE x')],
    ['what Postgres says', saying('invalid input syntax for type uuid: "x"')],
    ['what Node says', saying("Cannot read properties of undefined (reading 'x')")],
    ['the name of a class', saying('ExternalEventsDto is wrong')],
    ['the name of a package', saying('FastifyError')],
    ['an object as text', saying('[object Object] is wrong')],
  ])('minds %s', (_, answer) => {
    expect(mistakes(answer)).toHaveLength(1);
  });

  it('minds what an error or a read has written', () => {
    expect(mistakes(FAULT, true)).toHaveLength(1);
    expect(mistakes(SUCCESS, true, { method: 'GET' })).toHaveLength(1);
  });

  it('lets what has no route be answered plainly, and nothing else', () => {
    const plain = {
      ...FAULT,
      code: 404,
      text: '404 Not Found',
      headers: { 'content-type': 'text/plain; charset=UTF-8' },
    };
    const answer = { ...plain, headers: { ...plain.headers, 'x-openstack-request-id': ID } };
    expect(mistakes(answer)).toEqual([]);
    const routed = { ...answer, headers: { ...answer.headers, 'openstack-api-version': 'compute 2.1' } };
    expect(mistakes(routed)).toHaveLength(1);
    expect(mistakes({ ...answer, code: 400, text: '400 Bad Request' })).toHaveLength(1);
  });
});
