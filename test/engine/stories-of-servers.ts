import { expect } from '@jest/globals';
import { gib } from '@novella/core';
import { SERVER, VOLUME } from '@novella/testing';
import { attached, built, paused, stopped, suspended } from './set-up.js';
import { accepts, type Begin, type Story } from './story.js';

const grownWhileOff: Begin = async (world) => {
  await stopped(world);
  await world.acceptExtend();
  await world.settle();
};
const SUCCESS = { result: 'Success' };

const GROWN = 2 ** 31;

/** Build, start, stop, reboot, pause, unpause, suspend, resume, delete. */
export const SERVER_STORIES: Record<string, Story> = {
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
  'a stop': {
    before: attached,
    story: accepts((world) => world.acceptPower('stop')),
    ends: {
      server: { vmState: 'stopped', taskState: null, powerState: 'shutdown' },
      mappings: [{ guestBytes: null }, { guestBytes: null }],
      guests: [{ power: 'shutdown' }],
    },
  },
  'a stop that the host refuses for good': {
    before: attached,
    story: (world) => {
      world.host.fails = { method: 'stop_instance', code: 'domain-not-ours', times: 1_000 };
      return accepts((same) => same.acceptPower('stop'))(world);
    },
    ends: {
      server: { vmState: 'active', taskState: null, powerState: 'running' },
      guests: [{ power: 'running' }],
      actions: [{ action: 'stop', message: expect.stringMatching(/^Error: /) }, {}, {}],
    },
  },
  'a start': {
    before: stopped,
    story: accepts((world) => world.acceptPower('start')),
    ends: {
      server: { vmState: 'active', taskState: null, powerState: 'running' },
      mappings: [{ guestBytes: 2 ** 30 }, { guestBytes: 2 ** 30 }],
      guests: [{ power: 'running' }],
    },
  },
  'a start whose first answer is lost': {
    before: stopped,
    story: (world) => {
      world.host.losesAnswers = 1;
      return accepts((same) => same.acceptPower('start'))(world);
    },
    ends: { server: { vmState: 'active', taskState: null }, guests: [{ power: 'running' }] },
  },
  'a start of a guest that is gone': {
    before: async (world) => {
      await stopped(world);
      world.host.guests.clear();
    },
    story: accepts((world) => world.acceptPower('start')),
    ends: {
      server: { vmState: 'error', taskState: null, fault: 'domain-not-found' },
      actions: [{ events: [{ result: 'Error', details: 'domain-not-found: domain-not-found' }] }, {}, {}, {}],
    },
  },
  'a start with a volume that has grown': {
    before: grownWhileOff,
    story: accepts((world) => world.acceptPower('start')),
    ends: { mappings: [{ size: 2, guestBytes: 2 ** 31 }, {}], actions: [{ action: 'start' }, {}, {}, {}, {}] },
  },
  'a start of a guest that does not see that its volume has grown': {
    before: async (world) => {
      await grownWhileOff(world);
      world.host.startsBehind = true;
    },
    story: accepts((world) => world.acceptPower('start')),
    ends: {
      server: { vmState: 'active', taskState: null },
      mappings: [{ size: 2, guestBytes: 2 ** 31 }, { guestBytes: 2 ** 30 }],
      actions: [{ action: 'extend_volume', events: [SUCCESS] }, { action: 'start' }, {}, {}, {}, {}],
    },
  },
  'a soft reboot': {
    before: attached,
    story: accepts((world) => world.acceptPower('soft reboot')),
    ends: { server: { vmState: 'active', taskState: null }, guests: [{ power: 'running' }] },
  },
  'a hard reboot of a server that is off, with a volume that has grown': {
    before: grownWhileOff,
    story: accepts((world) => world.acceptPower('hard reboot')),
    ends: { server: { vmState: 'active', taskState: null }, mappings: [{ size: 2, guestBytes: 2 ** 31 }, {}] },
  },
  'a hard reboot that is asked for during a soft one whose answer is lost': {
    before: attached,
    story: async (world) => {
      world.host.losesAnswers = 1;
      await accepts((same) => same.acceptPower('soft reboot'))(world);
      await accepts((same) => same.acceptPower('hard reboot'))(world);
    },
    ends: {
      server: { vmState: 'active', taskState: null },
      actions: [{ action: 'reboot', events: [SUCCESS] }, { action: 'reboot', events: [SUCCESS] }, {}, {}],
    },
  },
  'a reboot after which the guest does not run': {
    before: stopped,
    story: (world) => {
      world.host.fails = { method: 'reboot_instance', code: 'hypervisor-refused', times: 1_000 };
      return accepts((same) => same.acceptPower('hard reboot'))(world);
    },
    ends: { server: { vmState: 'error', taskState: null, fault: 'hypervisor-refused' } },
  },
  'a pause': {
    before: attached,
    story: accepts((world) => world.acceptPower('pause')),
    ends: {
      server: { vmState: 'paused', taskState: null, powerState: 'paused' },
      mappings: [{ guestBytes: 2 ** 30 }, { guestBytes: 2 ** 30 }],
      guests: [{ power: 'paused' }],
      actions: [{ action: 'pause', events: [{ event: 'compute_pause_instance', ...SUCCESS }] }, {}, {}],
    },
  },
  'an unpause of a server whose volume has grown meanwhile': {
    before: async (world) => {
      await paused(world);
      await world.acceptExtend();
      await world.settle();
    },
    story: accepts((world) => world.acceptPower('unpause')),
    ends: {
      server: { vmState: 'active', taskState: null, powerState: 'running' },
      mappings: [{ size: 2, guestBytes: GROWN }, {}],
      guests: [{ power: 'running', knows: [GROWN, 2 ** 30] }],
      actions: [{ action: 'unpause', events: [SUCCESS] }, { action: 'extend_volume', events: [SUCCESS] }, {}, {}, {}],
    },
  },
  'a suspend': {
    before: attached,
    story: accepts((world) => world.acceptPower('suspend')),
    ends: {
      server: { vmState: 'suspended', taskState: null, powerState: 'saved' },
      mappings: [{ guestBytes: 2 ** 30 }, { guestBytes: 2 ** 30 }],
      guests: [{ power: 'saved' }],
      actions: [{ action: 'suspend', events: [SUCCESS] }, {}, {}],
    },
  },
  'a resume': {
    before: suspended,
    story: accepts((world) => world.acceptPower('resume')),
    ends: {
      server: { vmState: 'active', taskState: null, powerState: 'running' },
      mappings: [{ guestBytes: 2 ** 30 }, { guestBytes: 2 ** 30 }],
      guests: [{ power: 'running' }],
      actions: [{ action: 'resume', events: [SUCCESS] }, {}, {}, {}],
    },
  },
  'a resume of a server whose volume has grown meanwhile': {
    before: async (world) => {
      await suspended(world);
      await world.acceptExtend();
      await world.settle();
    },
    story: accepts((world) => world.acceptPower('resume')),
    ends: {
      server: { vmState: 'active', taskState: null },
      mappings: [{ size: 2, guestBytes: GROWN }, { guestBytes: 2 ** 30 }],
      guests: [{ power: 'running', knows: [GROWN, 2 ** 30] }],
      actions: [{ action: 'extend_volume', events: [SUCCESS] }, { action: 'resume' }, {}, {}, {}, {}],
    },
  },
  'a resume of a server whose volume has grown, of which nobody was told': {
    before: async (world) => {
      await suspended(world);
      world.volumes.sizes.set(VOLUME, gib(2));
    },
    story: accepts((world) => world.acceptPower('resume')),
    ends: {
      mappings: [{ size: 2, guestBytes: GROWN }, { guestBytes: 2 ** 30 }],
      guests: [{ power: 'running', knows: [GROWN, 2 ** 30] }],
      actions: [{ action: 'extend_volume', events: [SUCCESS] }, { action: 'resume' }, {}, {}, {}],
    },
  },
  'a hard reboot of a suspended server whose volume has grown': {
    before: async (world) => {
      await suspended(world);
      await world.acceptExtend();
      await world.settle();
    },
    story: accepts((world) => world.acceptPower('hard reboot')),
    ends: {
      server: { vmState: 'active', taskState: null },
      guests: [{ power: 'running', knows: [GROWN, 2 ** 30] }],
      actions: [{ action: 'reboot', events: [SUCCESS] }, { action: 'extend_volume' }, {}, {}, {}],
    },
  },
  'a delete': {
    before: built,
    story: accepts((world) => world.acceptDelete()),
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
    ends: {
      server: { vmState: 'active' },
      actions: [{ action: 'stop', message: expect.stringMatching(/^Error: /) }, {}],
    },
  },
};
