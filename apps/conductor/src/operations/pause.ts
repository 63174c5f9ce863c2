import { measuredVmState, powerFlow } from './power.js';

/** Holds a server where it is; its guest keeps its memory and its disks, which may grow meanwhile. */
export const pause = powerFlow({
  command: (_operation, args) => ({ method: 'pause_instance', args }),
  reaches: ['paused'],
  task: 'pausing',
  vmStateAfterFailure: measuredVmState,
});

/** Lets a paused server go on. */
export const unpause = powerFlow({
  command: (_operation, args) => ({ method: 'unpause_instance', args }),
  reaches: ['running'],
  task: 'unpausing',
  vmStateAfterFailure: measuredVmState,
});
