import { type DynamicModule, Module } from '@nestjs/common';
import { Conductor, type ConductorIo } from './conductor.js';
import { ConductorEndpoint } from './conductor.endpoint.js';

@Module({})
export class ConductorModule {
  /** The conductor starts and stops with the Nest application that carries its endpoint. */
  static register(io: ConductorIo): DynamicModule {
    const conductor = new Conductor(io);
    return {
      module: ConductorModule,
      controllers: [ConductorEndpoint],
      providers: [{ provide: Conductor, useValue: conductor }],
      exports: [Conductor],
    };
  }
}
