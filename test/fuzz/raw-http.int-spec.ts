import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { HttpSettings } from '../../apps/nova-api/src/http-settings.js';
import { ADMIN, USER } from '../../apps/nova-api/src/testing/start-nova-api.js';
import { openWorld, type World } from '../api/world.js';
import { leakFinder } from './leaks.js';
import { type RawAnswer, RawClient, talk } from './raw-client.js';

/** What clients do to connections: on real sockets, by hand. */
const HOST = 'Host: nova.example';
const TOKEN = `X-Auth-Token: ${USER}`;
const GET = (path: string, ...headers: string[]) =>
  `GET ${path} HTTP/1.1\r\n${[HOST, TOKEN, ...headers].join('\r\n')}\r\n\r\n`;
const EVENTS = '/v2.1/os-server-external-events';
const POST = (...lines: string[]) =>
  [`POST ${EVENTS} HTTP/1.1`, HOST, `X-Auth-Token: ${ADMIN}`, 'Content-Type: application/json', ...lines].join('\r\n');
const BODY = '{"events":[]}';

let leakIn: (text: string) => string | null;
beforeAll(async () => {
  leakIn = await leakFinder();
});

async function serve(changes: Partial<HttpSettings> = {}): Promise<{ world: World; port: number }> {
  const world = await openWorld(1, { http: Object.assign(new HttpSettings(), changes) });
  await world.api.app.listen({ host: '127.0.0.1', port: 0 });
  return { world, port: Number(new URL(await world.api.app.getUrl()).port) };
}

function isFault({ code, headers, text }: RawAnswer): boolean {
  const fault = Object.values(JSON.parse(text) as Record<string, { code: number; message: string }>)[0];
  return headers['content-type'] === 'application/json; charset=UTF-8' && fault?.code === code && fault.message !== '';
}

describe('a connection', () => {
  let world: World;
  let port: number;
  let before: string;
  beforeAll(async () => {
    ({ world, port } = await serve());
    before = world.digest();
  });
  beforeEach(() => void world.api.logged.splice(0));
  afterEach(async () => {
    // Whatever was sent: the next one is served, and nothing was written or said that is not meant for clients.
    expect((await talk(port, GET('/')))[0]?.code).toBe(200);
    expect(world.digest()).toBe(before);
    expect(world.api.logged).toEqual([]);
  });
  afterAll(() => world.close());

  it.each<[string, string, number[]]>([
    ['HTTP/1.0', 'GET / HTTP/1.0\r\n\r\n', [200]],
    ['HTTP/0.9', 'GET /\r\n\r\n', [200]],
    ['HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', [400]],
    ['HTTP/3.7', 'GET / HTTP/3.7\r\nHost: x\r\n\r\n', [400]],
    ['TLS', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n', [400]],
    ['an unknown method', `BREW / HTTP/1.1\r\n${HOST}\r\n\r\n`, [400]],
    ['a method in small letters', `get / HTTP/1.1\r\n${HOST}\r\n\r\n`, [400]],
    ['lines that end with LF alone', 'GET / HTTP/1.1\nHost: x\n\n', [400]],
    ['a header with NUL', GET('/', 'X-A: a\0b'), [400]],
    ['a header with a blank before its colon', GET('/', 'X-A : b'), [400]],
    ['a header that goes on in the next line', GET('/', 'X-A: b\r\n c'), [400]],
    ['a header without a colon', GET('/', 'X-A'), [400]],
    ['a header without a name', GET('/', ': b'), [400]],
    ['two lengths', `${POST('Content-Length: 13', 'Content-Length: 14')}\r\n\r\n${BODY}`, [400]],
    ['length and chunks', `${POST('Content-Length: 13', 'Transfer-Encoding: chunked')}\r\n\r\n0\r\n\r\n`, [400]],
    ['an unknown coding', `${POST('Transfer-Encoding: zip')}\r\n\r\n${BODY}`, [400]],
    ['chunks that are not the last coding', `${POST('Transfer-Encoding: chunked, zip')}\r\n\r\n0\r\n\r\n`, [400]],
    ['a length with a sign', `${POST('Content-Length: +13')}\r\n\r\n${BODY}`, [400]],
    ['a length below nothing', `${POST('Content-Length: -1')}\r\n\r\n`, [400]],
    ['a length that is no number', `${POST('Content-Length: 0x0d')}\r\n\r\n${BODY}`, [400]],
    ['a length of more than there is memory', `${POST('Content-Length: 99999999999999')}\r\n\r\n`, [413]],
    ['a length beyond all numbers', `${POST('Content-Length: 99999999999999999999999')}\r\n\r\n`, [400]],
    ['a chunk of no size', `${POST('Transfer-Encoding: chunked')}\r\n\r\nx\r\n`, [400]],
    ['a chunk of a huge size', `${POST('Transfer-Encoding: chunked')}\r\n\r\nffffffffffffffffff\r\n`, [400]],
    ['chunks that are right', `${POST('Transfer-Encoding: chunked')}\r\n\r\nd\r\n${BODY}\r\n0\r\n\r\n`, [400]],
    ['chunks with too long notes', `${POST('Transfer-Encoding: chunked')}\r\n\r\n1;${'x'.repeat(20_000)}\r\n`, [400]],
    ['an expectation', `${POST('Content-Length: 13', 'Expect: 100-continue')}\r\n\r\n${BODY}`, [100, 400]],
    ['a header of 20 kB', GET('/', `X-A: ${'x'.repeat(20_000)}`), [431]],
    ['a path of 20 kB', GET(`/${'x'.repeat(20_000)}`), [431]],
    ['3,000 headers', GET('/', ...Array.from({ length: 3_000 }, (_, at) => `a${at}: b`)), [431]],
    ['a wish for a websocket', GET('/', 'Connection: Upgrade', 'Upgrade: websocket'), [200]],
    ['a wish for HTTP/2', GET('/', 'Connection: Upgrade, HTTP2-Settings', 'Upgrade: h2c', 'HTTP2-Settings: x'), [200]],
    ['everything as its target', `OPTIONS * HTTP/1.1\r\n${HOST}\r\n\r\n`, [300]],
    ['a whole URL as its target', GET('http://nova.example/v2.1/flavors?limit=1'), [200]],
    ['another host’s URL as its target', GET('https://other.example:1/v2.1/flavors/nope'), [404]],
    ['a URL without a path as its target', GET('http://nova.example'), [200]],
    ['more bytes than it has announced', `${POST('Content-Length: 13')}\r\n\r\n${BODY}\r\nmore`, [400, 400]],
    ['something that is no request after one that is', `${GET('/v2.1/flavors')}\0\r\n\r\n`, [200, 400]],
    ['more after the request that was to be its last', GET('/v2.1/flavors', 'Connection: close') + GET('/'), [200]],
    ['a line after the request that was to be its last', `${GET('/', 'Connection: close')}\r\n`, [200]],
    [
      'a body that is cut off by the next request',
      `${POST('Content-Length: 13')}\r\n\r\n{"even${GET('/')}`,
      [400, 400],
    ],
  ])('with %s is answered by code', async (_, sent, codes) => {
    const answers = await talk(port, Buffer.from(sent, 'latin1'), codes.length);
    expect(answers.map(({ code }) => code)).toEqual(codes);
    for (const answer of answers) {
      expect(leakIn(`${JSON.stringify(answer.headers)} ${answer.text}`)).toBeNull();
      if (answer.code >= 400 && answer.code !== 413) expect(isFault(answer)).toBe(true);
    }
  });

  it.each<[string, string, number]>([
    ['no host', 'GET / HTTP/1.1\r\n\r\n', 400],
    ['an unknown expectation', GET('/', 'Expect: a-miracle'), 417],
  ])('with %s is answered by Node itself', async (_, sent, code) => {
    expect(await talk(port, sent)).toMatchObject([{ code, text: '' }]);
  });

  it('that is to be a tunnel is ended', async () => {
    expect(await talk(port, 'CONNECT other.example:443 HTTP/1.1\r\nHost: other.example:443\r\n\r\n')).toEqual([]);
  });

  it('with many requests in one piece is answered in their order', async () => {
    const paths = Array.from({ length: 60 }, (_, at) => (at % 2 === 0 ? '/v2.1/flavors/1' : '/v2.1/flavors/nope'));
    const answers = await talk(port, paths.map((path) => GET(path)).join(''), paths.length);
    expect(answers.map(({ code }) => code)).toEqual(paths.map((_, at) => (at % 2 === 0 ? 200 : 404)));
  });

  it('whose client sends more than it may is told so, while it still sends', async () => {
    const client = await RawClient.open(port);
    client.send(`${POST('Content-Length: 10000000')}\r\n\r\n`);
    const [answer] = await client.until(1);
    for (let sent = 0; sent < 200 && !client.isClosed; sent += 1) client.send('x'.repeat(50_000));
    expect(answer?.code).toBe(413);
    await client.closed;
  });

  it('whose chunks become too many is told so', async () => {
    const client = await RawClient.open(port);
    client.send(`${POST('Transfer-Encoding: chunked')}\r\n\r\n`);
    for (let sent = 0; sent < 10; sent += 1) client.send(`4000\r\n${'x'.repeat(0x4000)}\r\n`);
    expect((await client.until(1)).map(({ code }) => code)).toEqual([413]);
    client.close();
  });

  it.each([
    ['headers', POST('Content-Le')],
    ['a body', `${POST('Content-Length: 13')}\r\n\r\n{"eve`],
    ['chunks', `${POST('Transfer-Encoding: chunked')}\r\n\r\n5\r\n{"e`],
  ])('that ends within %s leaves nothing behind', async (_, sent) => {
    for (const end of ['end', 'resetAndDestroy'] as const) {
      const client = await RawClient.open(port);
      client.send(sent);
      await talk(port, GET('/'));
      client.socket[end]();
      await client.closed;
      expect(client.answers.filter(({ code }) => code !== 400)).toEqual([]);
    }
  });

  it.each([
    '/v2.1/%2e%2e/health',
    '/v2.1/../health',
    '/v2.1/servers/..',
    '/v2.1/servers/..%2f..%2fhealth',
    '/v2.1/servers/%2e%2e%2fdetail',
    '//v2.1/servers',
    '/v2.1//servers',
    '/v2.1/servers//detail',
    '/v2.1/servers/%00',
    '/v2.1/servers/a%2fb',
    '/v2.1/servers/a%0d%0aX-Injected:%201',
    '/v2.1/servers;a=b/detail',
    '/v2.1/servers/detail;a=b',
    '/v2.1/servers#detail',
    '/v2.1/servers\\detail',
    '/v2.1/servers/%',
    '/v2.1/servers/%zz',
    '/v2.1/servers/%c0%ae%c0%ae',
    '/v2.1/servers/\xff\xfe',
    '/v2.1?a=b',
    '/v2.1/?a',
    '/?',
    '/openapi.json/..',
    'v2.1/servers',
    '?',
    '/./v2.1/servers',
    '/v2.1/a-b/servers',
    '/v2.1/../../../../../../etc/hosts',
  ])('for %j is answered without an error of the service', async (path) => {
    const [answer] = await talk(port, Buffer.from(GET(path), 'latin1'));
    expect(answer?.code).toBeLessThan(500);
    expect(leakIn(answer?.text ?? '')).toBeNull();
    expect(answer?.headers).not.toHaveProperty('x-injected');
  });
});

describe('a client that takes its time', () => {
  let world: World;
  let port: number;
  const open: RawClient[] = [];
  const client = async (): Promise<RawClient> => {
    const opened = await RawClient.open(port);
    open.push(opened);
    return opened;
  };
  beforeAll(async () => {
    ({ world, port } = await serve({ headersTimeoutS: 1, requestTimeoutS: 2, keepAliveS: 1, maxConnections: 300 }));
  });
  afterEach(() => {
    for (const each of open.splice(0)) each.close();
  });
  afterAll(() => world.close());

  /** One more byte each time, for as long as the server takes it. */
  async function drip(to: RawClient, text: string): Promise<void> {
    for (let at = 0; !to.isClosed; at += 1) {
      to.send(text[at % text.length] ?? '');
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  it('with its headers is told 408 and let go', async () => {
    const slow = await client();
    slow.send('GET / HTTP/1.1\r\n');
    await drip(slow, 'X-A: b\r\n');
    expect(slow.answers.map((answer) => [answer.code, isFault(answer)])).toEqual([[408, true]]);
  });

  it('with its body is told 408 and let go', async () => {
    const slow = await client();
    slow.send(`${POST('Content-Length: 100000')}\r\n\r\n`);
    await drip(slow, 'x');
    expect(slow.answers.map(({ code }) => code)).toEqual([408]);
  });

  it('and says nothing at all is let go', async () => {
    const silent = await client();
    await silent.closed;
    expect(silent.answers.filter(({ code }) => code !== 408)).toEqual([]);
  });

  it('between its requests is let go', async () => {
    const kept = await client();
    kept.send(GET('/'));
    expect((await kept.until(1)).map(({ code }) => code)).toEqual([200]);
    await kept.closed;
    expect(kept.answers).toHaveLength(1);
  });

  it('does not keep others from being served, and there may be 200 of them', async () => {
    const slow = await Promise.all(Array.from({ length: 200 }, () => client()));
    for (const each of slow) each.send('GET / HTTP/1.1\r\nX-');
    expect((await talk(port, GET('/v2.1/flavors')))[0]?.code).toBe(200);
    await Promise.all(slow.map((each) => each.closed));
    expect(new Set(slow.flatMap(({ answers }) => answers.map(({ code }) => code)))).toEqual(new Set([408]));
  });
});

it('a connection beyond the limit is closed, the log says so, and there is room again when another ends', async () => {
  const { world, port } = await serve({ maxConnections: 2 });
  const [one, other] = [await RawClient.open(port), await RawClient.open(port)];
  for (const client of [one, other]) {
    client.send(GET('/'));
    await client.until(1);
  }
  const third = await RawClient.open(port);
  await third.closed;
  expect(third.answers).toEqual([]);
  expect(world.api.logged).toEqual([{ limit: 2, closed: 1 }]);
  one.close();
  let served: RawAnswer[] = [];
  while (served.length === 0) served = await talk(port, GET('/'));
  expect(served[0]?.code).toBe(200);
  other.close();
  await world.close();
});

it('1,000 volume-extended events in one POST need a larger limit than the default, and fit then', async () => {
  const events = Array.from({ length: 1_000 }, () => ({
    name: 'volume-extended',
    server_uuid: '3df201cf-2451-44f2-8d25-a4ca826fc1f3',
    tag: '0e63d806-6fe4-4ffc-99bf-f3dd056574c0',
  }));
  const body = JSON.stringify({ events });
  const lines = [`Content-Length: ${body.length}`, 'OpenStack-API-Version: compute 2.51'];
  const codes: (number | undefined)[] = [];
  for (const maxBodyBytes of [new HttpSettings().maxBodyBytes, 200_000]) {
    const { world, port } = await serve({ maxBodyBytes });
    codes.push((await talk(port, `${POST(...lines)}\r\n\r\n${body}`))[0]?.code);
    await world.close();
  }
  expect(codes).toEqual([413, 404]);
});
