import { describe, expect, it } from '@jest/globals';
import { TASK_STATES, type TaskState, VM_STATES, type VmState } from '@novella/core';
import { serverStatus, type ServerStatus, statesOf } from './server-status.js';

const DEFAULTS: Record<VmState, ServerStatus> = {
  building: 'BUILD',
  active: 'ACTIVE',
  paused: 'PAUSED',
  suspended: 'SUSPENDED',
  stopped: 'SHUTOFF',
  error: 'ERROR',
  deleted: 'DELETED',
};
const ALL = VM_STATES.flatMap((vmState) =>
  [null, ...TASK_STATES].map((task): [VmState, TaskState | null] => [vmState, task]),
);

describe('serverStatus', () => {
  it.each(ALL)('%s/%s', (vmState, taskState) => {
    const rebooting = { rebooting: 'REBOOT', rebooting_hard: 'HARD_REBOOT' } as const;
    const special = vmState === 'active' && (taskState === 'rebooting' || taskState === 'rebooting_hard');
    expect(serverStatus(vmState, taskState)).toBe(special ? rebooting[taskState] : DEFAULTS[vmState]);
  });
});

describe('statesOf', () => {
  it('finds for each status the states that can show it', () => {
    for (const [vmState, taskState] of ALL) {
      const found = statesOf([serverStatus(vmState, taskState)]);
      expect(found?.vmStates).toContain(vmState);
      if (found?.taskStates !== undefined) expect(found.taskStates).toContain(taskState);
    }
  });

  it.each<[string[], ReturnType<typeof statesOf>]>([
    [['active'], { vmStates: ['active'] }],
    [['REBOOT'], { vmStates: ['active'], taskStates: ['rebooting'] }],
    [['Reboot', 'hard_reboot'], { vmStates: ['active'], taskStates: ['rebooting', 'rebooting_hard'] }],
    [['REBOOT', 'SHUTOFF'], { vmStates: ['active', 'stopped'] }],
    [['RESCUE'], { vmStates: [], taskStates: [] }],
    [['odd', 'ERROR'], { vmStates: ['error'] }],
    [['odd'], null],
    [[''], null],
    [[], null],
  ])('of %j are %j', (words, states) => {
    expect(statesOf(words)).toEqual(states);
  });
});
