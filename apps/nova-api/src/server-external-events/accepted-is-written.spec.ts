import { setImmediate as nextTurn } from 'node:timers/promises';
import { afterEach, describe, expect, it } from '@jest/globals';
import { NovellaError } from '@novella/core';
import type { Store } from '@novella/persistence';
import { activeServer, ADMIN, startNovaApi, type TestApi } from '../testing/start-nova-api.js';

const URL = '/v2.1/os-server-external-events';
const VOLUME = '99999999-8888-4777-8666-555555555555';

let api: TestApi;
afterEach(() => api.close());

/** The application on a store whose writing of events first awaits `gate`. */
async function withGate(gate: Promise<void>): Promise<() => ReturnType<TestApi['ask']>> {
  const gated = (store: Store): Store =>
    new Proxy(store, {
      get: (target, name: keyof Store) => {
        const method = target[name].bind(target) as (...args: unknown[]) => Promise<unknown>;
        return name === 'acceptExternalEvents' ? (...args: unknown[]) => gate.then(() => method(...args)) : method;
      },
    });
  api = await startNovaApi({}, gated);
  const server = await activeServer(api);
  const events = [{ name: 'volume-extended', server_uuid: server, tag: VOLUME }];
  return () => api.ask('POST', URL, { version: '2.51', as: ADMIN, body: { events } });
}

describe('an event that asks for something', () => {
  it('is answered, and a conductor hinted, only when it is written (rules 2.1a, 2.2a)', async () => {
    let commit: () => void = () => undefined;
    const post = await withGate(new Promise((resolve) => (commit = resolve)));
    const hints = api.hints();
    let answered = false;
    const answer = post().finally(() => (answered = true));
    for (let turn = 0; turn < 50; turn += 1) await nextTurn();
    expect([answered, api.hints()]).toEqual([false, hints]);
    commit();
    expect((await answer).code).toBe(200);
    expect(api.hints()).toBe(hints + 1);
  });

  it('is 503, and nobody hinted, when it cannot be written (rule 2.1a)', async () => {
    const gate = Promise.reject(new NovellaError('database-unreachable', 'put in by the test'));
    gate.catch(() => undefined);
    const post = await withGate(gate);
    const hints = api.hints();
    expect((await post()).code).toBe(503);
    expect(api.hints()).toBe(hints);
  });

  it('is looked up and written together with all others of its POST (rule 2.1b)', async () => {
    const calls: string[] = [];
    const counting = (store: Store): Store =>
      new Proxy(store, {
        get: (target, name: keyof Store) => {
          const method = target[name].bind(target) as (...args: unknown[]) => Promise<unknown>;
          return (...args: unknown[]) => {
            calls.push(name);
            return method(...args);
          };
        },
      });
    api = await startNovaApi({}, counting);
    const servers = [await activeServer(api), await activeServer(api), await activeServer(api)];
    const events = servers.map((server_uuid) => ({ name: 'volume-extended', server_uuid, tag: VOLUME }));
    calls.length = 0;
    const body = { events: [...events, ...events] };
    expect((await api.ask('POST', URL, { version: '2.51', as: ADMIN, body })).code).toBe(200);
    expect(calls).toEqual(['instancesForEvents', 'acceptExternalEvents']);
  });
});
