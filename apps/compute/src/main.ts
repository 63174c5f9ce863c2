import 'reflect-metadata';
import { lstat } from 'node:fs/promises';
import { bytes } from '@novella/core';
import { runProgram } from '@novella/service-kit';
import { FakeDriver, LibvirtDriver, type VirtDriver } from '@novella/virt';
import { ComputeConfig } from './compute.config.js';
import { startCompute } from './start-compute.js';

function openDriver({ virtDriver, libvirtSocket, domainType }: Readonly<ComputeConfig>): Promise<VirtDriver> {
  if (virtDriver === 'libvirt') return LibvirtDriver.open({ socketPath: libvirtSocket, domainType });
  const deviceSize = async ({ path }: { readonly path: string }) => bytes((await lstat(path)).size);
  return Promise.resolve(new FakeDriver({ deviceSize }));
}

void runProgram('compute', ComputeConfig, (config, program) => startCompute(config, program, () => openDriver(config)));
