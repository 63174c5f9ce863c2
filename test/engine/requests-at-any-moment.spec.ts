import { describe, expect, it } from '@jest/globals';
import { gib } from '@novella/core';
import { VOLUME } from '@novella/testing';
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
  'an attach': { before: (world) => world.built(), story: (world) => world.acceptAttach() },
  'an attach whose first answer is lost': {
    before: (world) => world.built(),
    story: (world) => {
      world.host.losesAnswers = 1;
      return world.acceptAttach();
    },
  },
  'an attach that the host refuses for good': {
    before: (world) => world.built(),
    story: (world) => {
      world.host.fails = { method: 'attach_volume', code: 'path-outside-roots', times: 1_000 };
      return world.acceptAttach();
    },
  },
  'an extend': { before: (world) => world.built(), story: (world) => world.acceptExtend() },
  'an extend whose first answer is lost': {
    before: (world) => world.built(),
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
          const { end } = await play(name, engines, (world) => world.acceptDelete(), { call, when });
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
