import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type Log, millis, seconds } from '@novella/core';
import { httpAskRemote } from './remote.js';

const QUESTION = { rule: 'a:b', target: { project_id: 'p' }, credentials: { roles: ['r'], user_id: null } };

describe('another server that decides', () => {
  let server: Server;
  let base: string;
  let asked: { method: string | undefined; headers: IncomingHttpHeaders; body: string }[] = [];
  const logged: unknown[] = [];
  const ignore = () => undefined;
  const log: Log = { debug: ignore, info: ignore, warn: ignore, error: (_, facts) => logged.push(facts) };
  const ask = (
    path: string,
    contentType: 'application/json' | 'application/x-www-form-urlencoded',
    timeout = seconds(30),
  ) => httpAskRemote({ contentType, timeout }, log)({ url: `${base}${path}`, ...QUESTION });

  beforeAll(async () => {
    // The path says what it answers: /200/True
    server = createServer((request, response) => {
      void text(request).then((body) => {
        asked.push({ method: request.method, headers: request.headers, body });
        const [, status, answer] = (request.url ?? '').split('/');
        if (status === 'never') return;
        response.writeHead(Number(status), { location: '/200/True' }).end(decodeURIComponent(answer ?? ''));
      });
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  afterAll(() => {
    server.closeAllConnections();
    server.close();
  });

  it('is posted rule, target and credentials as a form, each in JSON', async () => {
    asked = [];
    expect(await ask('/200/True', 'application/x-www-form-urlencoded')).toBe(true);
    expect(asked[0]).toMatchObject({
      method: 'POST',
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
    });
    expect(Object.fromEntries(new URLSearchParams(asked[0]?.body))).toEqual({
      rule: '"a:b"',
      target: '{"project_id":"p"}',
      credentials: '{"roles":["r"],"user_id":null}',
    });
  });

  it('or as JSON', async () => {
    asked = [];
    expect(await ask('/200/True', 'application/json')).toBe(true);
    expect(JSON.parse(asked[0]?.body ?? '')).toEqual(QUESTION);
  });

  it.each([
    ['/200/"True"', true],
    ['/200/true', false],
    ['/200/False', false],
    ['/200/True%20', false],
    ['/200/', false],
    ['/500/True', false],
    ['/302/True', false],
  ])('allows by True alone: %s is %p', async (path, allowed) => {
    expect(await ask(encodeURI(path), 'application/json')).toBe(allowed);
  });

  it('is an error where it does not answer, and is logged', async () => {
    await expect(ask('/never', 'application/json', millis(50))).rejects.toThrow();
    expect(logged).toMatchObject([{ rule: 'a:b', url: `${base}/never` }]);
  });
});
