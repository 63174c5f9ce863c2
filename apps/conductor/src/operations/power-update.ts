import { failure } from './failure.js';
import { NO_STEPS, type OperationFlow } from './plan.js';

/**
 * The `power-update` event is for bare metal (Ironic); a hypervisor knows its guests' power itself, as Nova's libvirt
 * driver raises not-implemented. It ends as a failure that can be read, never as a success that did nothing.
 */
export const powerUpdate: OperationFlow<null, typeof NO_STEPS> = {
  steps: NO_STEPS,

  readFacts: () => Promise.resolve(null),
  decide: ({ operation }) => ({
    do: 'fail',
    error: failure('event-unsupported', 'the hypervisor does not take power updates from outside', {
      target: operation.request['target'] ?? null,
    }),
  }),
};
