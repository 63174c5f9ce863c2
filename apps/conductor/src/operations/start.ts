import { measuredVmState, powerFlow } from './power.js';

/** Starts a server that is off. What its volumes have grown meanwhile its guest now sees, or is made to see. */
export const start = powerFlow({
  command: (_operation, args) => ({ method: 'start_instance', args }),
  reaches: ['running', 'paused'],
  vmStateAfterFailure: measuredVmState,
});
