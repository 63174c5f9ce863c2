import type { PowerKind, TaskState } from '@novella/core';
import type { Instance } from '@novella/persistence';
import type { ApiFault } from '../http/fault.js';
import { type AllowedStates, notReady, whyNotNow } from './instance-state.js';

/**
 * From which states a server can be started, stopped and so on, and what it is doing from then on. Mirrors
 * nova:nova/compute/api.py start, stop, _soft_reboot, _hard_reboot, pause, unpause, suspend and resume.
 */
export const POWER_ACTIONS = {
  start: { kind: 'start', from: { vmStates: ['stopped'], taskStates: [null] }, taskState: 'powering-on' },
  stop: { kind: 'stop', from: { vmStates: ['active', 'error'], taskStates: [null] }, taskState: 'powering-off' },
  'soft-reboot': { kind: 'reboot', from: { vmStates: ['active'], taskStates: [null] }, taskState: 'rebooting' },
  'hard-reboot': {
    kind: 'reboot',
    from: {
      vmStates: ['active', 'stopped', 'paused', 'suspended', 'error'],
      taskStates: [null, 'rebooting', 'rebooting_hard', 'pausing', 'unpausing', 'suspending', 'resuming'],
    },
    taskState: 'rebooting_hard',
  },
  pause: { kind: 'pause', from: { vmStates: ['active'], taskStates: [null] }, taskState: 'pausing' },
  unpause: { kind: 'unpause', from: { vmStates: ['paused'], taskStates: [null] }, taskState: 'unpausing' },
  suspend: { kind: 'suspend', from: { vmStates: ['active'], taskStates: [null] }, taskState: 'suspending' },
  resume: { kind: 'resume', from: { vmStates: ['suspended'], taskStates: [null] }, taskState: 'resuming' },
} as const satisfies Record<string, PowerRule>;
export type PowerAction = keyof typeof POWER_ACTIONS;

interface PowerRule {
  readonly kind: PowerKind;
  readonly from: AllowedStates;
  readonly taskState: TaskState;
}

/** null: it can be asked for. Nova looks for the host before the states when it starts or stops, and else not at all. */
export function whyNotPower(
  action: PowerAction,
  server: Pick<Instance, 'id' | 'vmState' | 'taskState' | 'launchedAt' | 'host'>,
): ApiFault | null {
  const { kind, from } = POWER_ACTIONS[action];
  const wrongState = whyNotNow(kind, server, from);
  if (server.host !== null) return wrongState;
  const hostComesFirst = kind === 'start' || kind === 'stop';
  return hostComesFirst ? notReady(server.id) : (wrongState ?? notReady(server.id));
}
