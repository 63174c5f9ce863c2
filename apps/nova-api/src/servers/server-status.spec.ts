import { describe, expect, it } from '@jest/globals';
import { TASK_STATES, type TaskState, VM_STATES, type VmState } from '@novella/core';
import { serverStatus, type ServerStatus, vmStatesOf } from './server-status.js';

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

  it('finds for each status the vm_states that can show it', () => {
    for (const [vmState, taskState] of ALL) {
      expect(vmStatesOf([serverStatus(vmState, taskState)])).toContain(vmState);
    }
    expect(vmStatesOf(['REBOOT', 'SHUTOFF'])).toEqual(['active', 'stopped']);
    expect(vmStatesOf(['RESCUE'])).toEqual([]);
  });
});
