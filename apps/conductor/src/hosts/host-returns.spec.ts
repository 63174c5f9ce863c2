import { describe, expect, it } from '@jest/globals';
import type { HostName } from '@novella/core';
import { HOST, PUBLIC_KEY, service } from '@novella/testing';
import { type HostReportsIo, recordServiceReport } from './host-reports.js';

const nothing = () => undefined;

/** What follows from one report, when the store says that the host `change`, and so many operations were waiting for it. */
async function followsFrom(change: 'came-up' | 'still-up', phase: 'starting' | 'running', waiting = 1) {
  const followed: unknown[] = [];
  const told = (what: unknown, answer: number) => {
    followed.push(what);
    return Promise.resolve(answer);
  };
  const store = {
    reportService: () => Promise.resolve(change),
    wake: (whom: unknown) => told({ wake: whom }, waiting),
    takeOver: (from: unknown) => told({ takeOver: from }, 0),
  };
  const io = {
    store,
    log: { debug: nothing, info: nothing, warn: nothing, error: nothing },
    hint: () => followed.push('hint'),
    reconcile: (host: HostName) => told({ reconcile: host }, 0),
  } as unknown as HostReportsIo;
  const { host, version, capabilities, connectorProperties, hypervisor, capacity } = service();
  const facts = { host, version, hypervisor, capacity, publicKey: PUBLIC_KEY, phase };
  await recordServiceReport(io, {
    ...facts,
    capabilities: [...capabilities],
    connectorProperties: { ...connectorProperties },
  });
  return followed;
}

describe('a host that reports', () => {
  it('wakes at once what waited for it when it was down, and has its volumes looked at (rules 3.1b, 3.10d)', async () => {
    const wakes = { wake: { for: 'host', host: HOST } };
    expect(await followsFrom('came-up', 'running')).toEqual([wakes, 'hint', { reconcile: HOST }]);
    expect(await followsFrom('came-up', 'running', 0)).toEqual([wakes, { reconcile: HOST }]);
  });

  it('is sent again what it had when it starts anew, down or not (rule 3.1a)', async () => {
    expect(await followsFrom('still-up', 'starting')).toContainEqual({ takeOver: { host: HOST } });
  });

  it('changes nothing when it was up and goes on', async () => {
    expect(await followsFrom('still-up', 'running')).toEqual([]);
  });
});
