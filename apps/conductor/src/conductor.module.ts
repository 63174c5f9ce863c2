import {
  type BeforeApplicationShutdown,
  type DynamicModule,
  Injectable,
  Module,
  type OnApplicationBootstrap,
} from '@nestjs/common';
import { Conductor, type ConductorIo } from './conductor.js';
import { ConductorEndpoint } from './conductor.endpoint.js';

/** The conductor works while its Nest application does, and finishes what it holds before the application closes. */
@Injectable()
class ConductorLifecycle implements OnApplicationBootstrap, BeforeApplicationShutdown {
  constructor(private readonly conductor: Conductor) {}

  onApplicationBootstrap(): void {
    this.conductor.start();
  }

  beforeApplicationShutdown(): Promise<void> {
    return this.conductor.stop();
  }
}

@Module({})
export class ConductorModule {
  static register(io: ConductorIo): DynamicModule {
    const conductor = { provide: Conductor, useFactory: () => new Conductor(io) };
    return {
      module: ConductorModule,
      controllers: [ConductorEndpoint],
      providers: [conductor, ConductorLifecycle],
      exports: [Conductor],
    };
  }
}
