import {
  type BeforeApplicationShutdown,
  type DynamicModule,
  Inject,
  Module,
  type OnApplicationBootstrap,
  type OnApplicationShutdown,
} from '@nestjs/common';
import { type Compute, type ComputeOptions, createCompute } from './compute.js';
import { COMPUTE, ComputeEndpoint } from './compute.endpoint.js';

/**
 * One compute in a Nest application: reports once the application is up, ends what only waits before the transport stops,
 * and lets go of the host after it.
 */
@Module({})
export class ComputeModule implements OnApplicationBootstrap, BeforeApplicationShutdown, OnApplicationShutdown {
  constructor(@Inject(COMPUTE) private readonly compute: Compute) {}

  static register(options: ComputeOptions): DynamicModule {
    return {
      module: ComputeModule,
      controllers: [ComputeEndpoint],
      providers: [{ provide: COMPUTE, useFactory: () => createCompute(options) }],
      exports: [COMPUTE],
    };
  }

  onApplicationBootstrap(): void {
    this.compute.start();
  }

  beforeApplicationShutdown(): void {
    this.compute.beginStop();
  }

  async onApplicationShutdown(): Promise<void> {
    await this.compute.stop();
  }
}
