import 'reflect-metadata';
import { runProgram } from '@novella/service-kit';
import { ComputeConfig } from '../../apps/compute/src/compute.config.js';
import { openHypervisor } from '../../apps/compute/src/hypervisor.js';
import { startCompute } from '../../apps/compute/src/start-compute.js';

/** The compute program: it tells `loaded`, and begins at the first message. A test that kills it often loads it ahead. */
process.once('message', () => {
  void runProgram('compute', ComputeConfig, (config, program) =>
    startCompute(config, program, () => openHypervisor(config)),
  );
});
process.channel?.ref();
process.send?.('loaded');
