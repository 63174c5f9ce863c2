import { measuredVmState, powerFlow } from './power.js';

/** Has the host write the memory of a server to its disk. What its volumes grow until it is resumed its guest sees then. */
export const suspend = powerFlow({
  command: (_operation, args) => ({ method: 'suspend_instance', args }),
  reaches: ['saved'],
  task: 'suspending',
  vmStateAfterFailure: measuredVmState,
});

/** Lets a suspended server go on where it was. It has to be told of each volume that has grown meanwhile. */
export const resume = powerFlow({
  command: (_operation, args) => ({ method: 'resume_instance', args }),
  reaches: ['running'],
  task: 'resuming',
  vmStateAfterFailure: measuredVmState,
});
