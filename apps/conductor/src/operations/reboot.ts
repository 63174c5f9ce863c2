import type { PowerState } from '@novella/core';
import type { Operation } from '@novella/persistence';
import { measuredVmState, powerFlow } from './power.js';

const RUNS: readonly PowerState[] = ['running', 'paused'];

/**
 * Reboots a server: soft asks the guest first, hard does not. The command that is sent is the newest asked for. A guest
 * that does not run after it failed is an error, as in nova:nova/compute/manager.py reboot_instance: nobody had asked for
 * it to be off.
 */
export const reboot = powerFlow({
  command: (operation, args) => ({
    method: 'reboot_instance',
    args: { ...args, type: typeOf(operation), seq: operation.decidedSeq },
  }),
  reaches: RUNS,
  vmStateAfterFailure: (instance) => (RUNS.includes(instance.powerState) ? measuredVmState(instance) : 'error'),
});

const typeOf = ({ request }: Operation): 'soft' | 'hard' => (request['type'] === 'hard' ? 'hard' : 'soft');
