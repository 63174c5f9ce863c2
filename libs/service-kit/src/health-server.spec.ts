import { afterEach, describe, expect, it } from '@jest/globals';
import { Health } from './health.js';
import { type HealthServer, startHealthServer } from './health-server.js';

const HERE = { listen: '127.0.0.1', port: 0 };
let server: HealthServer | null = null;
afterEach(async () => {
  await server?.close();
  server = null;
});

async function serve(health: Health): Promise<URL> {
  server = await startHealthServer(health, HERE);
  return new URL(server.url);
}

const codes = (url: URL): Promise<number[]> =>
  Promise.all(['', '/ready', '/live'].map(async (path) => (await fetch(`${url.href}${path}`)).status));

describe('the health server', () => {
  it('answers 200 with the report while it is ready or degraded', async () => {
    const health = new Health();
    health.register('broker').unwell('degraded', 'no connection');
    const url = await serve(health);
    expect(await codes(url)).toEqual([200, 200, 200]);
    const answer = await fetch(url);
    expect(answer.headers.get('content-type')).toBe('application/json');
    expect(await answer.json()).toEqual(health.report());
  });

  it('answers 503 but live while it is not ready', async () => {
    const health = new Health();
    health.register('database');
    expect(await codes(await serve(health))).toEqual([503, 503, 200]);
  });

  it('answers 503 to all when only a restart helps', async () => {
    const health = new Health();
    health.register('state directory').unwell('dead', 'the lock was lost');
    expect(await codes(await serve(health))).toEqual([503, 503, 503]);
  });

  it('serves nothing else', async () => {
    const url = await serve(new Health());
    expect((await fetch(new URL('/metrics', url))).status).toBe(404);
    expect((await fetch(url, { method: 'POST' })).status).toBe(405);
  });

  it('refuses to start on a port that is in use, and names it', async () => {
    const { port } = await serve(new Health());
    const second = startHealthServer(new Health(), { listen: '127.0.0.1', port: Number(port) });
    await expect(second).rejects.toMatchObject({
      code: 'internal',
      grade: 'final',
      facts: { address: '127.0.0.1', port: Number(port), code: 'EADDRINUSE' },
    });
  });
});
