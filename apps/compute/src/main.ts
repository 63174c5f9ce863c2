import 'reflect-metadata';
import { runProgram } from '@novella/service-kit';
import { ComputeConfig } from './compute.config.js';
import { openHypervisor } from './hypervisor.js';
import { startCompute } from './start-compute.js';

void runProgram('compute', ComputeConfig, (config, program) =>
  startCompute(config, program, () => openHypervisor(config)),
);
