import { measuredVmState, powerFlow } from './power.js';

/** Shuts a server down. The host asks the guest and takes its power away when it does not go. */
export const stop = powerFlow({
  command: (_operation, args) => ({ method: 'stop_instance', args }),
  reaches: ['shutdown', 'crashed'],
  vmStateAfterFailure: measuredVmState,
});
