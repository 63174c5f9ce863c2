import { describe, expect, it } from '@jest/globals';
import { gib } from '@novella/core';
import { SERVER, VOLUME } from '@novella/testing';
import { DATA, type Fault, World } from './world.js';

/** What was accepted before the engines begin, and what the host or Cinder does wrong in it. */
type Story = (world: World) => Promise<void>;

const built: Story = (world) => world.built();
const bootOnly = { attachments: [{ state: 'attached' }], guests: [{ volumes: [VOLUME] }], devices: [VOLUME] };

const STORIES: Record<string, { before?: Story; story: Story; ends: object }> = {
  'a build with a boot volume': {
    story: (world) => world.acceptBuild(),
    ends: { server: { vmState: 'active' }, mappings: [{ attached: true }], attachments: [{ state: 'attached' }] },
  },
  'a build that the host refuses for good': {
    story: (world) => {
      world.host.fails = { method: 'build_instance', code: 'image-refused', times: 1_000 };
      return world.acceptBuild();
    },
    ends: { server: { vmState: 'error', fault: 'image-refused' }, mappings: [], attachments: [], guests: [] },
  },
  'a build whose reservation nobody confirmed': {
    story: (world) => world.acceptBuild(false),
    ends: { server: { vmState: 'error' }, mappings: [], attachments: [] },
  },
  'a build whose volume Cinder does not connect': {
    story: (world) => {
      world.volumes.refuse = { call: 'connectAttachment', code: 'cinder-refused', times: 1_000 };
      return world.acceptBuild();
    },
    ends: { server: { vmState: 'error' }, mappings: [], attachments: [], guests: [] },
  },
  'an attach': {
    before: built,
    story: (world) => world.acceptAttach(),
    ends: {
      mappings: [{ volumeId: VOLUME }, { volumeId: DATA, attached: true }],
      attachments: [{ state: 'attached' }, { state: 'attached' }],
      guests: [{ server: SERVER, volumes: [VOLUME, DATA] }],
    },
  },
  'an attach whose first answer is lost': {
    before: built,
    story: (world) => {
      world.host.losesAnswers = 1;
      return world.acceptAttach();
    },
    ends: { mappings: [{}, { attached: true }], attachments: [{ state: 'attached' }, { state: 'attached' }] },
  },
  'an attach that the host refuses for good': {
    before: built,
    story: (world) => {
      world.host.fails = { method: 'attach_volume', code: 'path-outside-roots', times: 1_000 };
      return world.acceptAttach();
    },
    ends: {
      ...bootOnly,
      mappings: [{ volumeId: VOLUME }],
      actions: [{ events: [{ result: 'Error', details: 'path-outside-roots: path-outside-roots' }] }, {}],
    },
  },
  'an attach that Cinder does not complete': {
    before: built,
    story: (world) => {
      world.volumes.refuse = { call: 'completeAttachment', code: 'cinder-refused', times: 1_000 };
      return world.acceptAttach();
    },
    ends: {
      ...bootOnly,
      mappings: [{ volumeId: VOLUME }],
      actions: [{ events: [{ result: 'Error', details: 'cinder-refused: refused by the test' }] }, {}],
    },
  },
  'an extend': {
    before: built,
    story: (world) => world.acceptExtend(),
    ends: { mappings: [{ size: 2, guestBytes: 2 ** 31 }], actions: [{ action: 'extend_volume', message: null }, {}] },
  },
  'an extend whose first answer is lost': {
    before: built,
    story: (world) => {
      world.host.losesAnswers = 1;
      return world.acceptExtend();
    },
    ends: { mappings: [{ size: 2 }], actions: [{ events: [{ result: 'Success' }] }, {}] },
  },
  'two extends of one volume whose answers are lost': {
    before: built,
    story: async (world) => {
      world.host.losesAnswers = 2;
      await world.acceptExtend();
      await world.acceptExtend(gib(3));
    },
    ends: {
      mappings: [{ size: 3 }],
      actions: [{ events: [{ result: 'Success' }] }, { events: [{ result: 'Success' }] }, {}],
    },
  },
  'an extend while the server is built': {
    story: async (world) => {
      await world.acceptBuild();
      await world.acceptExtend();
    },
    ends: { server: { vmState: 'active' }, mappings: [{ size: 2 }], actions: [{ message: null }, { message: null }] },
  },
  'an extend that the host fails once and then does': {
    before: built,
    story: (world) => {
      world.host.fails = { method: 'extend_volume', code: 'host-device-too-small', times: 1 };
      return world.acceptExtend();
    },
    ends: { mappings: [{ size: 2 }], actions: [{ events: [{ result: 'Success' }] }, {}] },
  },
  'an extend of a disk that cannot grow': {
    before: built,
    story: (world) => {
      world.host.fails = { method: 'extend_volume', code: 'disk-cannot-grow', times: 1_000 };
      return world.acceptExtend();
    },
    ends: { mappings: [{ size: 1 }], actions: [{ message: 'Error', events: [{ result: 'Error' }] }, {}] },
  },
  'a delete': {
    before: built,
    story: (world) => world.acceptDelete(),
    ends: { server: { deleted: true }, mappings: [], attachments: [], guests: [], deletedVolumes: new Set([VOLUME]) },
  },
  'a power update': {
    before: built,
    story: async (world) => {
      const operation = { kind: 'power-update', serverId: SERVER, target: 'POWER_OFF' } as const;
      const posted = {
        name: 'power-update',
        serverId: SERVER,
        status: 'completed',
        tag: 'POWER_OFF',
        code: 200,
      } as const;
      await world.store.acceptExternalEvents([{ ...posted, operation }], world.requester());
    },
    ends: { server: { vmState: 'active' }, actions: [{ action: 'stop', message: 'Error' }, {}] },
  },
};

async function play(
  name: string,
  engines: number,
  fault: Fault | null,
): Promise<{ calls: number; end: Awaited<ReturnType<World['snapshot']>> }> {
  const { before, story } = STORIES[name]!;
  const world = await World.with(engines);
  await before?.(world);
  await story(world);
  world.arm(fault);
  await world.settle();
  return { calls: world.calls, end: await world.snapshot() };
}

describe.each([
  ['one conductor', 1],
  ['two conductors', 2],
] as const)('with %s', (_, engines) => {
  describe.each(Object.keys(STORIES))('%s', (name) => {
    it('ends as it should', async () => {
      const { end } = await play(name, engines, null);
      expect(end).toMatchObject({ open: [], ...STORIES[name]!.ends, wrongs: [] });
    });

    it.each([
      ['an error', 'before', 'error'],
      ['an error', 'after', 'error'],
      ['a crash', 'before', 'crash'],
      ['a crash', 'after', 'crash'],
    ] as const)(
      'ends the same with %s right %s any call that an engine makes',
      async (_what, when, kind) => {
        const clean = await play(name, engines, null);
        for (let call = 1; call <= clean.calls; call++) {
          const { end } = await play(name, engines, { call, when, kind });
          expect({ call, ...end }).toEqual({ call, ...clean.end });
        }
      },
      60_000,
    );
  });
});
