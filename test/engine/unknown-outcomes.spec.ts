import { setImmediate as nextTurn } from 'node:timers/promises';
import { describe, expect, it } from '@jest/globals';
import { gib, minutes, seconds, type VolumeId } from '@novella/core';
import { SERVER, seededRandom, virtualClock, VOLUME } from '@novella/testing';
import { Engine } from '../../apps/conductor/src/operations/engine.js';
import type { TurnIo } from '../../apps/conductor/src/operations/turns.js';
import { DATA } from './deployment.js';
import { built } from './set-up.js';
import { SWEEP, World } from './world.js';

const THIRD = '77777777-8888-4888-8888-888888888888' as VolumeId;

describe('a command of which the sender did not hear whether it was taken', () => {
  it('keeps the attachments of a server that is deleted until its guest is gone', async () => {
    const world = await World.with(1);
    await world.acceptBuild();
    world.host.losesConfirms = 1;
    // The user gives up at the moment when the conductor has noted that the command may be lost.
    world.deletesAfter = ['undoDispatch', 'wait'];
    await world.settle();
    expect(await world.snapshot()).toMatchObject({
      open: [],
      server: { deleted: true },
      attachments: [],
      guests: [],
      devices: [],
      wrongs: [],
    });
  });

  it('is repeated soon, and one end is recorded', async () => {
    const world = await World.with(1);
    await built(world);
    world.host.losesConfirms = 1;
    await world.acceptExtend();
    const before = world.clock.monotonic();
    await world.settle();
    expect(await world.snapshot()).toMatchObject({
      open: [],
      mappings: [{ size: 2 }],
      actions: [{ message: null }, {}],
    });
    expect(world.clock.monotonic() - before).toBeLessThanOrEqual(seconds(15));
  });

  it('is not sent again when only the note that it was sent is missing', async () => {
    const world = await World.with(1);
    await built(world);
    const before = world.host.taken.length;
    world.failsOnce = 'markSent';
    await world.acceptExtend();
    await world.settle();
    expect(world.host.taken.length - before).toBe(1);
    expect(await world.snapshot()).toMatchObject({ open: [], mappings: [{ size: 2 }] });
  });

  it.each([
    ['build', 600],
    ['attach', 180],
    ['extend', 60],
  ] as const)('may begin after its deadline: the %s ends well all the same', async (kind, deadline) => {
    const world = await World.with(2);
    if (kind !== 'build') await built(world);
    world.host.delays.push(seconds(deadline + 1));
    if (kind === 'build') await world.acceptBuild();
    else if (kind === 'attach') await world.acceptAttach();
    else await world.acceptExtend();
    await world.settle();
    await world.clock.advance(minutes(20));
    const end = await world.snapshot();
    expect(end).toMatchObject({ open: [], server: { vmState: 'active', taskState: null }, wrongs: [] });
    expect(end.actions[0]).toMatchObject({ events: [{ result: 'Success' }] });
  });

  it.each([[100], [400], [1_000]])('never brings a deleted server back, %d s late', async (late) => {
    const world = await World.with(2);
    world.host.delays.push(seconds(late));
    await world.acceptBuild();
    await Promise.all([world.settle(), world.clock.sleep(seconds(30)).then(() => world.acceptDelete())]);
    await world.settle();
    await world.clock.advance(minutes(60));
    expect(await world.snapshot()).toMatchObject({
      open: [],
      server: { deleted: true },
      attachments: [],
      guests: [],
      devices: [],
      wrongs: [],
    });
  });
});

describe('a Cinder that is slow', () => {
  it.each([
    ['three volumes of 40 s each', 40, [VOLUME, DATA, THIRD]],
    ['one volume of 85 s', 85, [VOLUME]],
  ] as const)('connects each volume once: %s', async (_, needs, volumes) => {
    const world = await World.with(2);
    world.volumes.connecting = seconds(needs);
    await world.acceptBuild(true, volumes);
    await world.settle();
    expect(await world.snapshot()).toMatchObject({ open: [], server: { vmState: 'active' } });
    expect(world.volumes.connects).toHaveLength(volumes.length);
  });
});

describe('a Cinder that was away', () => {
  it('costs an attach none of its tries on the host', async () => {
    const world = await World.with(1);
    await built(world);
    world.volumes.refuse = { call: 'connectAttachment', code: 'cinder-unreachable', times: 5 };
    world.host.fails = { method: 'attach_volume', code: 'hypervisor-refused', times: 2 };
    await world.acceptAttach();
    await world.settle();
    expect(await world.snapshot()).toMatchObject({ open: [], mappings: [{}, { volumeId: DATA, attached: true }] });
  });

  it('costs an extend none of its tries on the host', async () => {
    const world = await World.with(1);
    await built(world);
    world.volumes.refuse = { call: 'volume', code: 'cinder-unreachable', times: 9 };
    world.host.fails = { method: 'extend_volume', code: 'host-device-too-small', times: 2 };
    await world.acceptExtend();
    await world.settle();
    expect(await world.snapshot()).toMatchObject({ open: [], mappings: [{ size: 2 }] });
  });
});

describe('a delete', () => {
  it('ends although Cinder will not delete the volume that should go with the server', async () => {
    const world = await World.with(1);
    await built(world);
    world.volumes.refuse = { call: 'deleteVolume', code: 'cinder-refused', times: 1_000 };
    await world.acceptDelete();
    await world.settle();
    expect(await world.snapshot()).toMatchObject({ open: [], server: { deleted: true }, attachments: [] });
  });

  it('asks Cinder again when it refuses a volume only for a moment', async () => {
    const world = await World.with(1);
    await built(world);
    world.volumes.refuse = { call: 'deleteVolume', code: 'cinder-refused', times: 2 };
    await world.acceptDelete();
    await world.settle();
    expect(await world.snapshot()).toMatchObject({ open: [], deletedVolumes: new Set([VOLUME]) });
  });
});

describe('a command that does not fit its contract', () => {
  it('ends the attach and lets go of the volume without asking the host', async () => {
    const world = await World.with(1);
    await built(world);
    world.host.refusesToSend = 'attach_volume';
    await world.acceptAttach();
    await world.settle();
    expect(await world.snapshot()).toMatchObject({
      open: [],
      mappings: [{ volumeId: VOLUME }],
      attachments: [{ volume: VOLUME }],
      actions: [{ message: expect.stringMatching(/^Error: /) }, {}],
      guests: [{ server: SERVER, volumes: [VOLUME] }],
    });
  });
});

describe('an engine with nothing to do', () => {
  it('asks the store once per sweep', async () => {
    const world = await World.with(1);
    await built(world);
    world.volumes.sizes.set(VOLUME, gib(2));
    world.arm(null);
    await world.work(minutes(10));
    // Two questions each time, and one at the start for what the last run had left.
    expect(world.calls).toBeLessThanOrEqual(1 + 2 * (minutes(10) / SWEEP + 1));
  });

  it('does not spin while what is due cannot be claimed', async () => {
    let claims = 0;
    const clock = virtualClock();
    const store = {
      takeOver: () => Promise.resolve(0),
      claimDue: async () => {
        claims += 1;
        await nextTurn();
        return [];
      },
      nextDueIn: async () => {
        await nextTurn();
        return 0;
      },
    };
    const io = { store, clock, random: seededRandom(1) } as unknown as TurnIo;
    const engine = new Engine(io, { name: 'conductor-1', concurrency: 8, sweep: seconds(5) });
    engine.start();
    for (let turn = 0; turn < 100; turn++) await nextTurn();
    await engine.stop();
    expect(claims).toBe(1);
  });
});
