import { describe, expect, it } from '@jest/globals';
import { NovellaError, seconds } from '@novella/core';
import { openMemoryStore } from '@novella/persistence';
import { systemClock } from '@novella/service-kit';
import { schemaGate } from './schema-gate.js';

const open = () => openMemoryStore({ serviceDownTime: seconds(60), clock: systemClock });

describe('the schema gate', () => {
  it('refuses every call with the reason until it opens', async () => {
    const gate = schemaGate(open());
    await expect(gate.store.flavors()).rejects.toMatchObject({ code: 'database-unreachable' });
    gate.keepShut(new NovellaError('database-unreachable', 'the schema is older'));
    await expect(gate.store.services('nova-compute')).rejects.toMatchObject({ message: 'the schema is older' });
    gate.open();
    expect(await gate.store.flavors()).toEqual([]);
  });

  it('gives out a store that a promise can carry', async () => {
    const { store } = schemaGate(open());
    expect(await Promise.resolve(store)).toBe(store);
  });

  it('is a store that can be closed before it opens', async () => {
    let closed = 0;
    const gate = schemaGate({ ...open(), close: () => Promise.resolve(void (closed += 1)) });
    await gate.store.close();
    expect(closed).toBe(1);
  });
});
