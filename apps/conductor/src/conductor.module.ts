import {
  type BeforeApplicationShutdown,
  type DynamicModule,
  Injectable,
  Module,
  type OnApplicationBootstrap,
} from '@nestjs/common';
import { Conductor, type ConductorIo } from './conductor.js';
import { ConductorEndpoint } from './conductor.endpoint.js';
import { OwnReports } from './own-reports.js';

/** The conductor works while its Nest application does, and finishes what it holds before the application closes. */
@Injectable()
class ConductorLifecycle implements OnApplicationBootstrap, BeforeApplicationShutdown {
  constructor(
    private readonly conductor: Conductor,
    private readonly reports: OwnReports,
  ) {}

  onApplicationBootstrap(): void {
    this.conductor.start();
    this.reports.start();
  }

  async beforeApplicationShutdown(): Promise<void> {
    await Promise.all([this.conductor.stop(), this.reports.stop()]);
  }
}

@Module({})
export class ConductorModule {
  static register(io: ConductorIo): DynamicModule {
    const conductor = { provide: Conductor, useFactory: () => new Conductor(io) };
    const reports = { provide: OwnReports, useFactory: () => new OwnReports(io) };
    return {
      module: ConductorModule,
      controllers: [ConductorEndpoint],
      providers: [conductor, reports, ConductorLifecycle],
      exports: [Conductor],
    };
  }
}
