import { describe, expect, it } from '@jest/globals';
import { gib, minutes, seconds } from '@novella/core';
import { HOST, SERVER, VOLUME } from '@novella/testing';
import { DATA } from './deployment.js';
import { attached, built, paused, stopped, suspended } from './set-up.js';
import { accepts } from './story.js';
import { World } from './world.js';

async function decideOf(world: World, change: { disabled?: boolean; forcedDown?: boolean }): Promise<void> {
  const [service] = await world.store.services('nova-compute');
  await world.store.updateService(service?.id ?? '', change);
}

/** The host's worker reports again, as after a pause. */
async function comesBack(world: World): Promise<void> {
  await world.hostReports();
  await world.store.wake({ for: 'host', host: HOST });
}

async function lastResult(world: World): Promise<string | null | undefined> {
  return (await world.snapshot()).actions[0]?.events?.[0]?.result;
}

const REQUESTS = [
  ['detach', attached, accepts((world: World) => world.acceptDetach())],
  ['delete', attached, accepts((world: World) => world.acceptDelete())],
  ['attach', built, accepts((world: World) => world.acceptAttach())],
  ['extend', attached, (world: World) => world.acceptExtend(gib(2), DATA)],
  ['start', stopped, accepts((world: World) => world.acceptPower('start'))],
  ['stop', attached, accepts((world: World) => world.acceptPower('stop'))],
  ['reboot', attached, accepts((world: World) => world.acceptPower('hard reboot'))],
  ['pause', attached, accepts((world: World) => world.acceptPower('pause'))],
  ['unpause', paused, accepts((world: World) => world.acceptPower('unpause'))],
  ['suspend', attached, accepts((world: World) => world.acceptPower('suspend'))],
  ['resume', suspended, accepts((world: World) => world.acceptPower('resume'))],
] as const;

describe('a host that is away', () => {
  it.each(REQUESTS)('is waited for, and a %s is done when it is back', async (kind, setUp, request) => {
    const world = await World.with(2);
    await setUp(world);
    await world.store.serviceStopped(HOST, 'nova-compute');
    const before = await world.snapshot();
    await request(world);
    await world.work(minutes(30));
    const meanwhile = await world.snapshot();
    expect(meanwhile).toMatchObject({ open: [{ kind, state: 'waiting' }], guests: before.guests, wrongs: [] });
    // Nothing that the guest may have is let go.
    expect(meanwhile.attachments.length).toBeGreaterThanOrEqual(before.attachments.length);
    expect(world.host.taken).toEqual([]);

    await comesBack(world);
    await world.settle();
    expect(await world.snapshot()).toMatchObject({ open: [], wrongs: [] });
    expect(await lastResult(world)).toBe('Success');
  });

  it('ends a detach that it had begun when it is forced down, and keeps what it was not asked for', async () => {
    const world = await World.with(1);
    await attached(world);
    world.host.hangs = true;
    await world.acceptDetach();
    await world.work(minutes(1));
    await world.store.serviceStopped(HOST, 'nova-compute');
    await world.work(minutes(10));
    expect(await world.snapshot()).toMatchObject({ open: [{ kind: 'detach', state: 'waiting', step: 'off-host' }] });
    // The operator has cut its power.
    world.host.guests.clear();
    await decideOf(world, { forcedDown: true });
    await world.settle();
    expect(await world.snapshot()).toMatchObject({
      open: [],
      mappings: [{ volumeId: VOLUME }],
      attachments: [{ volume: VOLUME }],
      detaching: [],
      wrongs: [],
    });
  });
});

describe('a host that is forced down', () => {
  const fenced = async (setUp: (world: World) => Promise<void>): Promise<World> => {
    const world = await World.with(2);
    await setUp(world);
    world.host.guests.clear();
    await decideOf(world, { forcedDown: true });
    return world;
  };

  it('is not asked before a volume is let go', async () => {
    const world = await fenced(attached);
    await world.acceptDetach();
    await world.settle();
    expect(await world.snapshot()).toMatchObject({ open: [], mappings: [{ volumeId: VOLUME }], detaching: [] });
    expect(world.host.taken).toEqual([]);
  });

  it('is not asked before a server is deleted, although a start of it waits for the host', async () => {
    const world = await fenced(stopped);
    await world.acceptPower('start');
    await world.work(minutes(1));
    expect(await world.snapshot()).toMatchObject({ open: [{ kind: 'start', state: 'waiting' }] });
    await world.acceptDelete();
    await world.settle();
    expect(await world.snapshot()).toMatchObject({ open: [], server: { deleted: true }, attachments: [] });
    expect(world.host.taken).toEqual([]);
  });

  it.each([
    ['start', stopped, (world: World) => world.acceptPower('start')],
    ['extend', attached, (world: World) => world.acceptExtend(gib(2), DATA)],
  ] as const)('is waited for by a %s until it is up again', async (kind, setUp, request) => {
    const world = await World.with(1);
    await setUp(world);
    await decideOf(world, { forcedDown: true });
    await request(world);
    // Its reports do not count.
    await world.hostReports();
    await world.work(minutes(30));
    expect(await world.snapshot()).toMatchObject({ open: [{ kind, state: 'waiting' }] });
    await decideOf(world, { forcedDown: false });
    await comesBack(world);
    await world.settle();
    expect(await world.snapshot()).toMatchObject({ open: [] });
    expect(await lastResult(world)).toBe('Success');
  });
});

describe('a host that is disabled', () => {
  it.each(REQUESTS)('still does a %s of a server that it has', async (_, setUp, request) => {
    const world = await World.with(1);
    await setUp(world);
    await decideOf(world, { disabled: true });
    await request(world);
    await world.settle();
    expect(await world.snapshot()).toMatchObject({ open: [] });
    expect(await lastResult(world)).toBe('Success');
  });

  it('gets no new server, but finishes the one that it was building', async () => {
    const refused = await World.with(1);
    await decideOf(refused, { disabled: true });
    await refused.acceptBuild();
    await refused.settle();
    expect(await refused.snapshot()).toMatchObject({ server: { vmState: 'error', host: null }, attachments: [] });

    const under = await World.with(1);
    under.host.losesAnswers = 1;
    await under.acceptBuild();
    await under.work(minutes(1));
    await decideOf(under, { disabled: true });
    await under.settle();
    expect(await under.snapshot()).toMatchObject({ open: [], server: { vmState: 'active', host: HOST } });
  });
});

describe('a host that has forgotten what it was doing', () => {
  it('is told again at once when it starts', async () => {
    const world = await World.with(1);
    await attached(world);
    world.host.losesAnswers = 1;
    await world.acceptPower('stop');
    await world.work(minutes(1));
    const before = world.clock.monotonic();
    expect(await world.store.takeOver({ host: HOST })).toBe(1);
    await world.settle();
    expect(await world.snapshot()).toMatchObject({ open: [], server: { vmState: 'stopped' } });
    // The deadline would have come two minutes later.
    expect(world.clock.monotonic() - before).toBeLessThan(seconds(90));
    expect((await world.store.instance(SERVER))?.taskState).toBeNull();
  });
});
