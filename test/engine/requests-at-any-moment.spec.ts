import { describe, expect, it } from '@jest/globals';
import { gib } from '@novella/core';
import { VOLUME } from '@novella/testing';
import { DATA } from './deployment.js';
import { attached, built, stopped } from './set-up.js';
import { accepts } from './story.js';
import { World } from './world.js';

/** Something else is accepted while an operation runs: at each call that the engines make, one world each. */
type Story = (world: World) => Promise<void>;

const UNDER_WAY: Record<string, { before?: Story; story: Story }> = {
  'a build': { story: (world) => world.acceptBuild() },
  'a build that the host refuses for good': {
    story: (world) => {
      world.host.fails = { method: 'build_instance', code: 'image-refused', times: 1_000 };
      return world.acceptBuild();
    },
  },
  'a build whose first answer is lost': {
    story: (world) => {
      world.host.losesAnswers = 1;
      return world.acceptBuild();
    },
  },
  'an attach': { before: built, story: accepts((world) => world.acceptAttach()) },
  'an attach whose first answer is lost': {
    before: built,
    story: (world) => {
      world.host.losesAnswers = 1;
      return accepts((same) => same.acceptAttach())(world);
    },
  },
  'an attach that the host refuses for good': {
    before: built,
    story: (world) => {
      world.host.fails = { method: 'attach_volume', code: 'path-outside-roots', times: 1_000 };
      return accepts((same) => same.acceptAttach())(world);
    },
  },
  'a detach': { before: attached, story: accepts((world) => world.acceptDetach()) },
  'a detach whose first answer is lost': {
    before: attached,
    story: async (world) => {
      world.host.losesAnswers = 1;
      await world.acceptDetach();
    },
  },
  'a detach that Cinder does not finish for a while': {
    before: attached,
    story: (world) => {
      world.volumes.refuse = { call: 'deleteAttachment', code: 'cinder-unreachable', times: 2 };
      return accepts((same) => same.acceptDetach())(world);
    },
  },
  'a detach that the guest never lets go': {
    before: attached,
    story: async (world) => {
      world.host.fails = { method: 'detach_volume', code: 'guest-busy', times: 1_000 };
      await world.acceptDetach();
    },
  },
  'a start': { before: stopped, story: accepts((world) => world.acceptPower('start')) },
  'a stop': { before: attached, story: accepts((world) => world.acceptPower('stop')) },
  'a reboot whose first answer is lost': {
    before: attached,
    story: async (world) => {
      world.host.losesAnswers = 1;
      await world.acceptPower('hard reboot');
    },
  },
  'an extend': { before: built, story: (world) => world.acceptExtend() },
  'an extend of the second volume': {
    before: attached,
    story: (world) => world.acceptExtend(gib(2), DATA),
  },
  'an extend whose first answer is lost': {
    before: built,
    story: (world) => {
      world.host.losesAnswers = 1;
      return world.acceptExtend();
    },
  },
};

async function play(
  name: string,
  engines: number,
  request: Story,
  at: { call: number; when: 'before' | 'after' } | null,
) {
  const { before, story } = UNDER_WAY[name]!;
  const world = await World.with(engines);
  await before?.(world);
  await story(world);
  world.arm(at === null ? null : { ...at, kind: request });
  await world.settle();
  return { calls: world.calls, end: await world.snapshot() };
}

describe.each([
  ['one conductor', 1],
  ['two conductors', 2],
] as const)('with %s', (_, engines) => {
  describe.each(Object.keys(UNDER_WAY))('a delete that is accepted during %s', (name) => {
    it.each(['before', 'after'] as const)(
      'leaves nothing behind, right %s any call',
      async (when) => {
        const { calls } = await play(name, engines, () => Promise.resolve(), null);
        for (let call = 1; call <= calls; call++) {
          const { end } = await play(
            name,
            engines,
            accepts((world) => world.acceptDelete()),
            { call, when },
          );
          expect({ call, ...end }).toMatchObject({
            call,
            open: [],
            server: { deleted: true, taskState: null },
            mappings: [],
            attachments: [],
            guests: [],
            devices: [],
            deletedVolumes: name.includes('refuses') && name.includes('build') ? expect.anything() : new Set([VOLUME]),
            wrongs: [],
          });
          const results = end.actions.map(({ events }) => events?.[0]?.result);
          expect(results.every((result) => result === 'Success' || result === 'Error')).toBe(true);
        }
      },
      60_000,
    );
  });

  describe.each(['a detach', 'a detach whose first answer is lost', 'a detach that the guest never lets go'])(
    'an extend that comes during %s',
    (name) => {
      it.each(['before', 'after'] as const)(
        'ends well where the volume stays, right %s any call',
        async (when) => {
          const { calls } = await play(name, engines, () => Promise.resolve(), null);
          for (let call = 1; call <= calls; call++) {
            const { end } = await play(name, engines, (world) => world.acceptExtend(gib(2), DATA), { call, when });
            const stays = name.includes('never');
            expect({ call, ...end }).toMatchObject({
              call,
              open: [],
              mappings: stays ? [{}, { size: 2, guestBytes: 2 ** 31 }] : [{ volumeId: VOLUME }],
              detaching: [],
              wrongs: [],
            });
            const results = end.actions.slice(0, 2).map(({ events }) => events?.[0]?.result);
            expect(results).toContain('Success');
          }
        },
        60_000,
      );
    },
  );

  describe('a detach that is accepted during an extend of the volume', () => {
    it.each(['before', 'after'] as const)(
      'takes the volume away, right %s any call',
      async (when) => {
        const name = 'an extend of the second volume';
        const { calls } = await play(name, engines, () => Promise.resolve(), null);
        for (let call = 1; call <= calls; call++) {
          const detach = accepts((world) => world.acceptDetach());
          const { end } = await play(name, engines, detach, { call, when });
          expect({ call, ...end }).toMatchObject({
            call,
            open: [],
            mappings: [{ volumeId: VOLUME }],
            guests: [{ volumes: [VOLUME] }],
            devices: [VOLUME],
            attachments: [{ volume: VOLUME }],
            detaching: [],
            wrongs: [],
          });
        }
      },
      60_000,
    );
  });

  describe('a reboot that is accepted during a detach', () => {
    it.each(['before', 'after'] as const)(
      'does not open the volume again that the host has let go, right %s any call',
      async (when) => {
        const name = 'a detach that Cinder does not finish for a while';
        const { calls } = await play(name, engines, () => Promise.resolve(), null);
        for (let call = 1; call <= calls; call++) {
          const reboot = accepts((world) => world.acceptPower('hard reboot'));
          const { end } = await play(name, engines, reboot, { call, when });
          expect({ call, ...end }).toMatchObject({
            call,
            open: [],
            server: { vmState: 'active', taskState: null },
            mappings: [{ volumeId: VOLUME }],
            devices: [VOLUME],
            guests: [{ volumes: [VOLUME] }],
            wrongs: [],
          });
        }
      },
      60_000,
    );
  });

  describe.each(['an attach', 'an attach whose first answer is lost', 'a detach', 'an extend of the second volume'])(
    'a stop that is accepted during %s',
    (name) => {
      it.each(['before', 'after'] as const)(
        'is done, and so is the other, right %s any call',
        async (when) => {
          const { calls, end: alone } = await play(name, engines, () => Promise.resolve(), null);
          for (let call = 1; call <= calls; call++) {
            const stop = accepts((world) => world.acceptPower('stop'));
            const { end } = await play(name, engines, stop, { call, when });
            expect({ call, ...end }).toMatchObject({
              call,
              open: [],
              server: { vmState: 'stopped', taskState: null, powerState: 'shutdown' },
              mappings: alone.mappings.map(({ volumeId, attached, size }) => ({ volumeId, attached, size })),
              attachments: alone.attachments,
              devices: alone.devices,
              detaching: [],
              wrongs: [],
            });
            const results = end.actions.slice(0, 2).map(({ events }) => events?.[0]?.result);
            expect(results).toEqual(['Success', 'Success']);
          }
        },
        60_000,
      );
    },
  );

  describe.each(['an extend', 'an extend whose first answer is lost'])(
    'a second extend that is accepted during %s',
    (name) => {
      it.each(['before', 'after'] as const)(
        'is done too, right %s any call',
        async (when) => {
          const { calls } = await play(name, engines, () => Promise.resolve(), null);
          for (let call = 1; call <= calls; call++) {
            const { end } = await play(name, engines, (world) => world.acceptExtend(gib(3)), { call, when });
            expect({ call, ...end }).toMatchObject({
              call,
              open: [],
              mappings: [{ size: 3, guestBytes: 3 * 2 ** 30 }],
              actions: [{ events: [{ result: 'Success' }] }, { events: [{ result: 'Success' }] }, {}],
              wrongs: [],
            });
          }
        },
        60_000,
      );
    },
  );
});
