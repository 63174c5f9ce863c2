import { describe, expect, it } from '@jest/globals';
import type { HostName, ServerId, TaskState, VmState, VolumeId } from '@novella/core';
import { TASK_STATES, VM_STATES } from '@novella/core';
import { whyNotDetach } from './decide-detach.js';

const server = {
  id: '00000000-1111-4222-8333-444444444444' as ServerId,
  vmState: 'active' as VmState,
  taskState: null as TaskState | null,
  launchedAt: new Date(0) as Date | null,
  host: 'host-1' as HostName | null,
};
const mapping = { bootIndex: null as number | null, attachedAt: new Date(0) as Date | null };
const volume = { id: '99999999-8888-4777-8666-555555555555' as VolumeId, status: 'in-use' };
const decide = (
  changes: { server?: Partial<typeof server>; mapping?: Partial<typeof mapping> | null; status?: string } = {},
) =>
  whyNotDetach({
    instance: { ...server, ...changes.server },
    mapping: changes.mapping === null ? null : { ...mapping, ...changes.mapping },
    volume: { ...volume, status: changes.status ?? volume.status },
  })?.status ?? null;

describe('whyNotDetach', () => {
  it('takes an attached volume from a server that runs, is paused or is stopped, and has no task', () => {
    const taken = VM_STATES.flatMap((vmState) =>
      [null, ...TASK_STATES]
        .filter((taskState) => decide({ server: { vmState, taskState } }) === null)
        .map((taskState) => `${vmState}/${taskState}`),
    );
    expect(taken).toEqual(['active/null', 'paused/null', 'stopped/null']);
  });

  it.each<[string, Parameters<typeof decide>[0], number]>([
    ['no mapping', { mapping: null }, 404],
    ['the root device', { mapping: { bootIndex: 0 } }, 400],
    ['a busy server', { server: { taskState: 'rebooting' } }, 409],
    ['a server that never ran', { server: { launchedAt: null } }, 409],
    ['no host', { server: { host: null } }, 409],
    ['an attach that has not ended', { mapping: { attachedAt: null } }, 400],
    ['a volume that is attaching', { status: 'attaching' }, 400],
    ['a volume that is detaching', { status: 'detaching' }, 400],
    ['a volume that is extending', { status: 'extending' }, 400],
    ['a volume that is free', { status: 'available' }, 400],
    // The first that is wrong is said, in Nova's order.
    ['no mapping of a busy server', { mapping: null, server: { taskState: 'deleting' } }, 404],
    ['the root device of a busy server', { mapping: { bootIndex: 0 }, server: { taskState: 'deleting' } }, 400],
    ['a busy server whose volume is detaching', { server: { taskState: 'deleting' }, status: 'detaching' }, 409],
  ])('%s', (_, changes, status) => {
    expect(decide(changes)).toBe(status);
  });

  it('takes a data volume that has a boot index', () => {
    expect(decide({ mapping: { bootIndex: 1 } })).toBeNull();
  });
});
