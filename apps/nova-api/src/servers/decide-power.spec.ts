import { describe, expect, it } from '@jest/globals';
import { TASK_STATES, type TaskState, VM_STATES, type VmState } from '@novella/core';
import type { HostName, ServerId } from '@novella/core';
import { POWER_ACTIONS, type PowerAction, whyNotPower } from './decide-power.js';

const ID = '00000000-1111-4222-8333-444444444444' as ServerId;
const server = (vmState: VmState, taskState: TaskState | null, changes: object = {}) => ({
  id: ID,
  vmState,
  taskState,
  launchedAt: new Date(0),
  host: 'host-1' as HostName | null,
  ...changes,
});

/** As the compute API guide lists them, `vm_state/task_state`. */
const ALLOWED: Record<PowerAction, string[]> = {
  start: ['stopped/null'],
  stop: ['active/null', 'error/null'],
  'soft-reboot': ['active/null'],
  'hard-reboot': ['active', 'stopped', 'paused', 'suspended', 'error'].flatMap((vmState) => [
    `${vmState}/null`,
    `${vmState}/rebooting`,
    `${vmState}/rebooting_hard`,
    `${vmState}/pausing`,
    `${vmState}/unpausing`,
    `${vmState}/suspending`,
    `${vmState}/resuming`,
  ]),
  pause: ['active/null'],
  unpause: ['paused/null'],
  suspend: ['active/null'],
  resume: ['suspended/null'],
};

describe('whyNotPower', () => {
  it.each(Object.keys(POWER_ACTIONS) as PowerAction[])(
    'takes a %s from exactly the states that Nova does',
    (action) => {
      const states = VM_STATES.flatMap((vmState) => [null, ...TASK_STATES].map((task) => [vmState, task] as const));
      const taken = states.filter(([vmState, task]) => whyNotPower(action, server(vmState, task)) === null);
      expect(taken.map(([vmState, task]) => `${vmState}/${task}`).toSorted()).toEqual(ALLOWED[action].toSorted());
    },
  );

  it.each<[PowerAction, VmState, TaskState | null, string]>([
    ['stop', 'stopped', null, `Cannot 'stop' instance ${ID} while it is in vm_state stopped`],
    ['stop', 'active', 'powering-off', `Cannot 'stop' instance ${ID} while it is in task_state powering-off`],
    ['start', 'active', 'deleting', `Cannot 'start' instance ${ID} while it is in vm_state active`],
    ['soft-reboot', 'active', 'rebooting', `Cannot 'reboot' instance ${ID} while it is in task_state rebooting`],
    ['pause', 'paused', null, `Cannot 'pause' instance ${ID} while it is in vm_state paused`],
    ['unpause', 'paused', 'deleting', `Cannot 'unpause' instance ${ID} while it is in task_state deleting`],
    ['suspend', 'active', 'pausing', `Cannot 'suspend' instance ${ID} while it is in task_state pausing`],
    ['resume', 'stopped', null, `Cannot 'resume' instance ${ID} while it is in vm_state stopped`],
    ['hard-reboot', 'building', 'spawning', `Cannot 'reboot' instance ${ID} while it is in vm_state building`],
  ])('%s of %s/%s: %s', (action, vmState, taskState, message) => {
    expect(whyNotPower(action, server(vmState, taskState))).toMatchObject({ status: 409, message });
  });

  it('refuses a server that never ran, as in an invalid state', () => {
    const never = server('error', null, { launchedAt: null });
    const message = `Instance ${ID} is in an invalid state for 'stop'`;
    expect(whyNotPower('stop', never)).toMatchObject({ status: 409, message });
  });

  it('says that a server without a host is not ready, before its state; all but start and stop say it after', () => {
    const nowhere = { host: null, launchedAt: null };
    const notReady = { status: 409, message: `Instance ${ID} is not ready` };
    expect(whyNotPower('start', server('building', 'scheduling', nowhere))).toMatchObject(notReady);
    expect(whyNotPower('stop', server('error', null, nowhere))).toMatchObject(notReady);
    expect(whyNotPower('hard-reboot', server('error', null, { host: null }))).toMatchObject(notReady);
    const inState = { message: `Cannot 'reboot' instance ${ID} while it is in vm_state building` };
    expect(whyNotPower('hard-reboot', server('building', 'scheduling', nowhere))).toMatchObject(inState);
    const building = { message: `Cannot 'suspend' instance ${ID} while it is in vm_state building` };
    expect(whyNotPower('suspend', server('building', 'scheduling', nowhere))).toMatchObject(building);
    expect(whyNotPower('pause', server('active', null, { host: null }))).toMatchObject(notReady);
  });
});
