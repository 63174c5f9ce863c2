import { type DynamicModule, Module } from '@nestjs/common';
import { APP_FILTER } from '@nestjs/core';
import { FlavorsController } from './flavors/flavors.controller.js';
import { ErrorFilter } from './http/error.filter.js';
import { HealthController } from './http/health.controller.js';
import { InstanceActionsController } from './instance-actions/instance-actions.controller.js';
import { type NovaApiPorts, PORTS } from './ports.js';
import { ExternalEventsController } from './server-external-events/external-events.controller.js';
import { ServersController } from './servers/servers.controller.js';
import { VersionsController } from './versions/versions.controller.js';
import { VolumeAttachmentsController } from './volume-attachments/volume-attachments.controller.js';

@Module({})
export class NovaApiModule {
  static register(ports: NovaApiPorts): DynamicModule {
    return {
      module: NovaApiModule,
      providers: [
        { provide: PORTS, useValue: ports },
        { provide: APP_FILTER, useClass: ErrorFilter },
      ],
      controllers: [
        HealthController,
        VersionsController,
        ExternalEventsController,
        ServersController,
        VolumeAttachmentsController,
        InstanceActionsController,
        FlavorsController,
      ],
    };
  }
}
