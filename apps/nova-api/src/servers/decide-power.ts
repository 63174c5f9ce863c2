import type { TaskState } from '@novella/core';
import type { Instance } from '@novella/persistence';
import type { ApiFault } from '../http/fault.js';
import { type AllowedStates, notReady, whyNotNow } from './instance-state.js';

/**
 * From which states a server can be started, stopped and rebooted, and what it is doing from then on.
 * Mirrors nova:nova/compute/api.py start, stop, _soft_reboot and _hard_reboot.
 */
export const POWER_ACTIONS = {
  start: { kind: 'start', from: { vmStates: ['stopped'], taskStates: [null] }, taskState: 'powering-on' },
  stop: { kind: 'stop', from: { vmStates: ['active', 'error'], taskStates: [null] }, taskState: 'powering-off' },
  'soft-reboot': { kind: 'reboot', from: { vmStates: ['active'], taskStates: [null] }, taskState: 'rebooting' },
  'hard-reboot': {
    kind: 'reboot',
    from: {
      vmStates: ['active', 'stopped', 'paused', 'suspended', 'error'],
      taskStates: [null, 'rebooting', 'rebooting_hard'],
    },
    taskState: 'rebooting_hard',
  },
} as const satisfies Record<string, PowerRule>;
export type PowerAction = keyof typeof POWER_ACTIONS;

interface PowerRule {
  readonly kind: 'start' | 'stop' | 'reboot';
  readonly from: AllowedStates;
  readonly taskState: TaskState;
}

/** null: it can be asked for. Nova looks for the host before the states, except when it reboots. */
export function whyNotPower(
  action: PowerAction,
  server: Pick<Instance, 'id' | 'vmState' | 'taskState' | 'launchedAt' | 'host'>,
): ApiFault | null {
  const { kind, from } = POWER_ACTIONS[action];
  const wrongState = whyNotNow(kind, server, from);
  if (server.host !== null) return wrongState;
  return kind === 'reboot' ? (wrongState ?? notReady(server.id)) : notReady(server.id);
}
