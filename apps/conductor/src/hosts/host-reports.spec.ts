import { describe, expect, it } from '@jest/globals';
import { type Clock, minutes, NovellaError } from '@novella/core';
import { openMemoryStore, type Store } from '@novella/persistence';
import { HOST, PUBLIC_KEY, service, virtualClock } from '@novella/testing';
import { type HostReportsIo, recordServiceReport, removeHost } from './host-reports.js';

const QUEUE = `compute.${HOST}`;
const nothing = () => undefined;

function io(over: Partial<HostReportsIo> = {}) {
  const clock: Clock = virtualClock();
  const store: Store = openMemoryStore({ serviceDownTime: minutes(1), clock });
  const queues = new Set([QUEUE, `${QUEUE}.lock`, 'compute.compute-10']);
  const reports: HostReportsIo = {
    store,
    log: { debug: nothing, info: nothing, warn: nothing, error: nothing },
    hint: nothing,
    reconcile: () => Promise.resolve(0),
    guestStarted: () => Promise.resolve(0),
    deleteQueue: (name) => Promise.resolve(void queues.delete(name)),
    ...over,
  };
  return { reports, store, queues };
}

function report() {
  const { host, version, capabilities, connectorProperties, hypervisor, capacity } = service();
  return {
    host,
    version,
    hypervisor,
    capacity,
    capabilities: [...capabilities],
    connectorProperties: { ...connectorProperties },
    publicKey: PUBLIC_KEY,
    phase: 'running' as const,
  };
}

describe('a report of a host', () => {
  it('is stored with the key that its secrets are sealed to, and a new key replaces it', async () => {
    const { reports, store } = io();
    await recordServiceReport(reports, report());
    expect(await store.services('nova-compute')).toMatchObject([{ host: HOST, publicKey: PUBLIC_KEY }]);
    const publicKey = Buffer.alloc(32, 8).toString('base64');
    await recordServiceReport(reports, { ...report(), publicKey });
    expect(await store.services('nova-compute')).toMatchObject([{ publicKey }]);
  });
});

describe('a host that was removed', () => {
  it('loses its queue and its name, and no other host does', async () => {
    const { reports, queues } = io();
    await removeHost(reports, { host: HOST });
    expect([...queues]).toEqual(['compute.compute-10']);
  });

  it('keeps its queue when it has reported since', async () => {
    const { reports, queues } = io();
    await recordServiceReport(reports, report());
    await removeHost(reports, { host: HOST });
    expect(queues).toContain(QUEUE);
  });

  it.each(['broker-refused', 'host-name-taken'] as const)(
    'keeps its queue while a worker holds its name: %s',
    async (code) => {
      const deleted: string[] = [];
      const { reports } = io({
        deleteQueue: (name) => {
          if (name.endsWith('.lock')) return Promise.reject(new NovellaError(code, 'locked'));
          return Promise.resolve(void deleted.push(name));
        },
      });
      await removeHost(reports, { host: HOST });
      expect(deleted).toEqual([]);
    },
  );

  it('is tried again when the broker is away', async () => {
    const { reports } = io({ deleteQueue: () => Promise.reject(new NovellaError('broker-unreachable', 'away')) });
    await expect(removeHost(reports, { host: HOST })).rejects.toMatchObject({ code: 'broker-unreachable' });
  });
});
