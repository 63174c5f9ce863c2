import { expect } from '@jest/globals';
import { gib } from '@novella/core';
import { CONNECTION, SERVER, VOLUME } from '@novella/testing';
import { DATA } from './deployment.js';
import { attached, built, stopped } from './set-up.js';
import { accepts, type Story } from './story.js';
import type { World } from './world.js';

const bootOnly = { attachments: [{ state: 'attached' }], guests: [{ volumes: [VOLUME] }], devices: [VOLUME] };

const withData = {
  mappings: [{ volumeId: VOLUME }, { volumeId: DATA, attached: true, guestBytes: 2 ** 30 }],
  attachments: [{ state: 'attached' }, { state: 'attached' }],
  guests: [{ volumes: [VOLUME, DATA] }],
  detaching: [],
};
const SUCCESS = { result: 'Success' };

async function onQcow2(world: World): Promise<void> {
  world.volumes.connectionInfo = { ...CONNECTION, format: 'qcow2' };
  await built(world);
}

/** Attach, detach, extend. */
export const VOLUME_STORIES: Record<string, Story> = {
  'an attach': {
    before: built,
    story: accepts((world) => world.acceptAttach()),
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
      return accepts((same) => same.acceptAttach())(world);
    },
    ends: { mappings: [{}, { attached: true }], attachments: [{ state: 'attached' }, { state: 'attached' }] },
  },
  'an attach that the host refuses for good': {
    before: built,
    story: (world) => {
      world.host.fails = { method: 'attach_volume', code: 'path-outside-roots', times: 1_000 };
      return accepts((same) => same.acceptAttach())(world);
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
      return accepts((same) => same.acceptAttach())(world);
    },
    ends: {
      ...bootOnly,
      mappings: [{ volumeId: VOLUME }],
      actions: [{ events: [{ result: 'Error', details: 'cinder-refused: refused by the test' }] }, {}],
    },
  },
  'a detach': {
    before: attached,
    story: accepts((world) => world.acceptDetach()),
    ends: { ...bootOnly, mappings: [{ volumeId: VOLUME }], detaching: [], actions: [{ events: [SUCCESS] }, {}, {}] },
  },
  'a detach from a server that is off': {
    before: stopped,
    story: accepts((world) => world.acceptDetach()),
    ends: { ...bootOnly, mappings: [{ volumeId: VOLUME }], detaching: [] },
  },
  'a detach whose first answer is lost': {
    before: attached,
    story: (world) => {
      world.host.losesAnswers = 1;
      return accepts((same) => same.acceptDetach())(world);
    },
    ends: { ...bootOnly, mappings: [{ volumeId: VOLUME }], detaching: [], actions: [{ events: [SUCCESS] }, {}, {}] },
  },
  'a detach that the guest is too busy for once': {
    before: attached,
    story: (world) => {
      world.host.fails = { method: 'detach_volume', code: 'guest-busy', times: 1 };
      return accepts((same) => same.acceptDetach())(world);
    },
    ends: { ...bootOnly, mappings: [{ volumeId: VOLUME }], detaching: [], actions: [{ events: [SUCCESS] }, {}, {}] },
  },
  'a detach that the guest never lets go': {
    before: attached,
    story: (world) => {
      world.host.fails = { method: 'detach_volume', code: 'guest-busy', times: 1_000 };
      return accepts((same) => same.acceptDetach())(world);
    },
    ends: {
      ...withData,
      actions: [
        {
          message: expect.stringMatching(/^Error: /),
          events: [{ result: 'Error', details: 'guest-busy: guest-busy' }],
        },
        {},
        {},
      ],
    },
  },
  'a detach that the host refuses for good': {
    before: attached,
    story: (world) => {
      world.host.fails = { method: 'detach_volume', code: 'domain-not-ours', times: 1_000 };
      return accepts((same) => same.acceptDetach())(world);
    },
    ends: { ...withData, actions: [{ events: [{ details: 'domain-not-ours: domain-not-ours' }] }, {}, {}] },
  },
  'a detach that Cinder does not begin': {
    before: attached,
    story: (world) => {
      world.volumes.refuse = { call: 'beginDetaching', code: 'cinder-refused', times: 1_000 };
      return accepts((same) => same.acceptDetach())(world);
    },
    ends: { ...withData, actions: [{ events: [{ details: 'cinder-refused: refused by the test' }] }, {}, {}] },
  },
  'a detach that Cinder at first does not let go': {
    before: attached,
    story: (world) => {
      world.volumes.refuse = { call: 'deleteAttachment', code: 'cinder-refused', times: 2 };
      return accepts((same) => same.acceptDetach())(world);
    },
    ends: { ...bootOnly, mappings: [{ volumeId: VOLUME }], detaching: [], actions: [{ events: [SUCCESS] }, {}, {}] },
  },
  'a detach of a volume that Cinder has lost': {
    before: attached,
    story: (world) => {
      world.volumes.refuse = { call: 'beginDetaching', code: 'volume-not-found', times: 1_000 };
      return accepts((same) => same.acceptDetach())(world);
    },
    ends: { ...bootOnly, mappings: [{ volumeId: VOLUME }], actions: [{ events: [SUCCESS] }, {}, {}] },
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
  'an extend of a qcow2 file, which the host grows': {
    before: onQcow2,
    story: (world) => world.acceptGrowthByHost(),
    ends: { mappings: [{ size: 2 }], extending: [], extendsTold: ['grown'], actions: [{ events: [SUCCESS] }, {}] },
  },
  'an extend of a qcow2 file that cannot grow': {
    before: onQcow2,
    story: (world) => {
      world.host.fails = { method: 'extend_volume', code: 'disk-cannot-grow', times: 1_000 };
      return world.acceptGrowthByHost();
    },
    ends: {
      mappings: [{ size: 1 }],
      extending: [],
      extendsTold: ['failed'],
      actions: [{ events: [{ details: 'disk-cannot-grow: disk-cannot-grow' }] }, {}],
    },
  },
  'an extend of a qcow2 file of whose end Cinder will not hear': {
    before: onQcow2,
    story: (world) => {
      world.volumes.refuse = { call: 'completeExtend', code: 'cinder-refused', times: 1_000 };
      return world.acceptGrowthByHost();
    },
    ends: { mappings: [{ size: 2 }], actions: [{ events: [SUCCESS] }, {}] },
  },
  'an extend of a disk that cannot grow': {
    before: built,
    story: (world) => {
      world.host.fails = { method: 'extend_volume', code: 'disk-cannot-grow', times: 1_000 };
      return world.acceptExtend();
    },
    ends: {
      mappings: [{ size: 1 }],
      actions: [{ message: expect.stringMatching(/^Error: /), events: [{ result: 'Error' }] }, {}],
    },
  },
};
