import { millis, minutes, type PowerState, seconds } from '@novella/core';
import { DATA } from './deployment.js';
import {
  meanwhile,
  refused,
  always,
  notTold,
  withSecrets,
  onQcow2,
  nothing,
  build,
  attach,
  detach,
  extend,
  start,
  stop,
  reboot,
  pause,
  unpause,
  suspend,
  resume,
  deletes,
  goesAwayAtDeadline,
  forcedDown,
  gone,
  bootOnly,
  endsWith,
  savedByAnother,
  unreadable,
  tooLittle,
  powered,
} from './interference.js';
import { answers, failed, goesAway } from './misfortunes.js';
import { attached, built, paused, stopped, suspended } from './set-up.js';
import { accepts, type Begin, type Story } from './story.js';

/** A delete, a host that is fenced, a reboot, answers that mean no good: the end is another, and the same at any break. */
export const INTERFERENCE_STORIES: Record<string, Story> = {
  'a build whose server is deleted before it begins': {
    story: async (world) => {
      await world.acceptBuild();
      await deletes(world);
    },
    ends: gone,
  },
  'a build whose server is deleted while it is built': { story: meanwhile(build, deletes), ends: gone },
  'a build whose server is deleted, and its answer is lost': { story: meanwhile(build, deletes, 'never'), ends: gone },
  'a build whose server is deleted, and whose host goes away': {
    story: meanwhile(build, (world) => deletes(world).then(() => goesAwayAtDeadline(world)), 'never'),
    ends: gone,
  },
  'a build for which Cinder is away, and then its host': {
    story: async (world) => {
      world.volumes.refuse = { call: 'connectAttachment', code: 'cinder-unreachable', times: 1 };
      void world.clock.sleep(millis(100)).then(() => goesAway(world));
      await world.acceptBuild();
    },
    ends: { server: { vmState: 'active' } },
  },
  'a build whose server is deleted while Cinder is away': {
    story: async (world) => {
      world.volumes.refuse = { call: 'connectAttachment', code: 'cinder-unreachable', times: 3 };
      void world.clock.sleep(seconds(1)).then(() => deletes(world));
      await world.acceptBuild();
    },
    ends: gone,
  },
  'a build that is undone on a host that was fenced meanwhile': {
    story: meanwhile(build, forcedDown, failed('image-refused')),
    ends: { server: { vmState: 'error' }, mappings: [], attachments: [], guests: [] },
  },
  'a build that is undone on a host that goes away': {
    story: meanwhile(build, goesAway, failed('image-refused')),
    ends: { server: { vmState: 'error' }, mappings: [], attachments: [], guests: [] },
  },
  'a build that is being undone when its host is fenced': {
    story: (world) => {
      world.host.luck.push(answers(failed('image-refused')), () => void forcedDown(world));
      return world.acceptBuild();
    },
    ends: { server: { vmState: 'error' }, mappings: [], attachments: [], guests: [] },
  },
  'a build that Cinder does not complete': {
    story: refused('completeAttachment', build),
    ends: { server: { vmState: 'error' }, mappings: [], attachments: [], guests: [] },
  },
  'a build that Cinder does not complete, on a host that goes away': {
    story: meanwhile(refused('completeAttachment', build), goesAway),
    ends: { server: { vmState: 'error' }, mappings: [], attachments: [], guests: [] },
  },
  'a build that Cinder does not complete, on a host that is fenced': {
    story: meanwhile(refused('completeAttachment', build), forcedDown),
    ends: { server: { vmState: 'error' }, mappings: [], attachments: [], guests: [] },
  },
  ...secretNotTold('', nothing),
  ...secretNotTold(', on a host that goes away', goesAway),
  ...secretNotTold(', on a host that is fenced', forcedDown),
  'an attach whose reservation nobody confirmed': {
    before: built,
    story: accepts((world) => world.acceptAttach(false)),
    ends: bootOnly,
  },
  'an attach whose server is deleted while the host attaches': {
    before: built,
    story: meanwhile(attach, deletes),
    ends: gone,
    breaksAll: true,
  },
  'an attach that Cinder does not connect': {
    before: built,
    story: refused('connectAttachment', attach),
    ends: bootOnly,
  },
  'an attach that is undone on a host that was fenced meanwhile': {
    before: built,
    story: meanwhile(attach, forcedDown, failed('path-outside-roots')),
    ends: bootOnly,
  },
  'an attach that is undone on a host that goes away': {
    before: built,
    story: meanwhile(attach, goesAway, failed('path-outside-roots')),
    ends: bootOnly,
  },
  'an attach that is undone during a reboot': {
    before: built,
    story: meanwhile(attach, reboot, failed('path-outside-roots')),
    ends: bootOnly,
  },
  'an attach that is being undone when its host is fenced': {
    before: built,
    story: (world) => {
      world.host.luck.push(answers(failed('path-outside-roots')), () => void forcedDown(world));
      return attach(world);
    },
    ends: bootOnly,
  },
  'an attach that Cinder does not complete, on a host that goes away': {
    before: built,
    story: meanwhile(refused('completeAttachment', attach), goesAway),
    ends: bootOnly,
  },
  'an attach that Cinder does not complete, on a host that is fenced': {
    before: built,
    story: meanwhile(refused('completeAttachment', attach), forcedDown),
    ends: bootOnly,
  },
  'an attach that Cinder does not complete, during a reboot': {
    before: built,
    story: meanwhile(refused('completeAttachment', attach), reboot),
    ends: bootOnly,
  },
  'an attach whose secret Cinder no longer tells, during a reboot': {
    before: withSecrets(built),
    story: meanwhile(refused('connection', attach), reboot, unreadable),
    ends: bootOnly,
  },
  'an attach that is connected while the server is suspended': {
    before: built,
    story: async (world) => {
      world.volumes.connecting = seconds(40);
      await attach(world);
      await suspend(world);
      // However long the suspend takes when its answer is lost.
      void world.clock.sleep(minutes(60)).then(() => resume(world));
    },
    ends: { server: { vmState: 'active' }, mappings: [{}, { volumeId: DATA, attached: true }] },
  },
  'an attach that is undone in a guest that somebody else has saved': {
    before: built,
    story: meanwhile(attach, savedByAnother, failed('path-outside-roots')),
    ends: { server: { vmState: 'active' }, ...bootOnly },
  },
  'an attach that is undone, and whose guest somebody else then saves': {
    before: built,
    story: (world) => {
      world.host.luck.push(answers(failed('path-outside-roots')), (_act, answer) => {
        void savedByAnother(world).then(() => answer(failed('guest-busy')));
      });
      return attach(world);
    },
    ends: { server: { vmState: 'active' }, ...bootOnly },
  },
  'an attach that Cinder does not complete, in a guest that somebody else has saved': {
    before: built,
    story: meanwhile(refused('completeAttachment', attach), savedByAnother),
    ends: { server: { vmState: 'active' }, ...bootOnly },
  },
  'an attach whose secret Cinder no longer tells, in a guest that somebody else has saved': {
    before: withSecrets(built),
    story: meanwhile(refused('connection', attach), savedByAnother, unreadable),
    ends: bootOnly,
  },
  'a detach from a guest that somebody else saves': {
    before: attached,
    story: meanwhile(detach, savedByAnother, failed('guest-busy')),
    ends: { server: { vmState: 'active' }, ...bootOnly },
  },
  'a detach whose server is deleted while the host detaches': {
    before: attached,
    story: meanwhile(detach, deletes),
    ends: gone,
  },
  'a detach whose server is deleted, and its answer is lost': {
    before: attached,
    story: meanwhile(detach, deletes, 'never'),
    ends: gone,
  },
  'a detach that is under way when its host is fenced': {
    before: attached,
    story: meanwhile(detach, forcedDown, 'never'),
    ends: bootOnly,
  },
  'a detach that the guest does not let go, and that Cinder does not take back': {
    before: attached,
    story: meanwhile(refused('rollDetaching', detach), nothing, failed('domain-not-ours')),
    ends: { ...endsWith('Error'), mappings: [{}, { volumeId: DATA }] },
  },
  'a detach whose secret Cinder no longer tells': {
    before: withSecrets(attached),
    story: meanwhile(refused('connection', detach), nothing, unreadable),
    ends: { ...endsWith('Error'), mappings: [{}, { volumeId: DATA }], detaching: [] },
  },
  'an extend of a volume that is not attached': {
    before: built,
    story: extend,
    ends: { ...endsWith('Error'), ...bootOnly },
  },
  'an extend after which the host has too little for once': {
    before: attached,
    story: (world) => {
      world.host.luck.push(answers(tooLittle));
      return extend(world);
    },
    ends: { mappings: [{}, { volumeId: DATA, size: 2 }] },
  },
  'an extend after which the host has too little': {
    before: attached,
    story: always(tooLittle, extend),
    ends: { ...endsWith('Error'), mappings: [{}, { volumeId: DATA, size: 1 }] },
  },
  'an extend of a qcow2 file after which the host has too little': {
    before: onQcow2,
    story: always(tooLittle, (world) => world.acceptGrowthByHost()),
    ends: { ...endsWith('Error'), mappings: [{ size: 1 }], extendsTold: ['failed'] },
  },
  'an extend that is answered as something else': {
    before: attached,
    story: always({ status: 'detached' }, extend),
    ends: { ...endsWith('Error'), mappings: [{}, { volumeId: DATA, size: 1 }] },
  },
  'an extend whose server is deleted, and its answer is lost': {
    before: attached,
    story: meanwhile(extend, deletes, 'never'),
    ends: gone,
  },
  'an extend whose secret Cinder no longer tells': {
    before: withSecrets(attached),
    story: meanwhile(refused('connection', extend), nothing, unreadable),
    ends: { ...endsWith('Error'), mappings: [{}, { size: 1 }] },
  },
  'an extend whose secret is told again, and then not its size': {
    before: withSecrets(attached),
    story: meanwhile(extend, notTold('cinder-unreachable'), unreadable),
    ends: { mappings: [{}, { size: 2 }] },
  },
  'an extend whose secret is told again, and then its size not well': {
    before: withSecrets(attached),
    story: meanwhile(extend, notTold('internal'), unreadable),
    ends: { mappings: [{}, { size: 2 }] },
  },
  'an extend of a qcow2 file that cannot grow, of which Cinder will not hear': {
    before: onQcow2,
    story: refused(
      'completeExtend',
      always(failed('disk-cannot-grow'), (world) => world.acceptGrowthByHost()),
    ),
    ends: { ...endsWith('Error'), mappings: [{ size: 1 }] },
  },
  'an extend whose secret is told again during a reboot': {
    before: withSecrets(attached),
    story: meanwhile(extend, reboot, unreadable),
    ends: { mappings: [{}, { size: 2 }] },
  },
  'a delete of which the host is fenced meanwhile': {
    before: attached,
    story: meanwhile(deletes, forcedDown, 'never'),
    ends: gone,
  },
  ...powerStories('start', stopped, start, 'shutdown'),
  ...powerStories('stop', attached, stop, 'running'),
  ...powerStories('reboot', attached, reboot, 'shutdown'),
  ...powerStories('pause', attached, pause, 'running'),
  ...powerStories('unpause', paused, unpause, 'paused'),
  ...powerStories('suspend', attached, suspend, 'running'),
  ...powerStories('resume', suspended, resume, 'paused'),
  ...overtaken('pause', attached, pause),
  ...overtaken('unpause', paused, unpause),
  ...overtaken('suspend', attached, suspend),
  ...overtaken('resume', suspended, resume),
};

function powerStories(name: string, before: Begin, request: Begin, elsewhere: PowerState): Record<string, Story> {
  return {
    [`a ${name} that never leads where it should`]: {
      before,
      story: always(powered(elsewhere), request),
      ends: { ...endsWith('Error'), server: { taskState: null, powerState: elsewhere } },
    },
    [`a ${name} whose server is deleted, and its answer is lost`]: {
      before,
      story: meanwhile(request, deletes, 'never'),
      ends: gone,
    },
    [`a ${name} whose secret Cinder no longer tells`]: {
      before: withSecrets(before),
      story: meanwhile(refused('connection', request), nothing, unreadable),
      ends: { ...endsWith('Error'), server: { taskState: null } },
    },
  };
}

/** A hard reboot that is asked for while a host has the first: its end is the reboot's. Or the first is refused. */
function overtaken(name: string, before: Begin, request: Begin): Record<string, Story> {
  const rebooted = { server: { vmState: 'active', taskState: null }, guests: [{ power: 'running' }] };
  return {
    [`a ${name} during which the server is rebooted hard`]: {
      before,
      story: meanwhile(request, reboot),
      ends: { ...rebooted, ...endsWith('Success') },
    },
    [`a ${name} during which the server is rebooted hard, and that fails`]: {
      before,
      story: meanwhile(request, reboot, failed('hypervisor-refused')),
      ends: { ...rebooted, ...endsWith('Error') },
    },
    [`a ${name} that the host refuses for good`]: {
      before,
      story: always(failed('domain-not-ours'), request),
      ends: { ...endsWith('Error'), server: { taskState: null } },
    },
  };
}

function secretNotTold(where: string, happens: Begin): Record<string, Story> {
  return {
    [`a build whose secret Cinder no longer tells${where}`]: {
      before: withSecrets(nothing),
      story: meanwhile(refused('connection', build), happens, unreadable),
      ends: { server: { vmState: 'error' }, mappings: [], attachments: [] },
    },
    [`an attach whose secret Cinder no longer tells${where}`]: {
      before: withSecrets(built),
      story: meanwhile(refused('connection', attach), happens, unreadable),
      ends: bootOnly,
    },
  };
}
