import { type DynamicModule, Module } from '@nestjs/common';
import { APP_FILTER } from '@nestjs/core';
import { AggregatesController } from './availability-zones/aggregates.controller.js';
import { AvailabilityZonesController } from './availability-zones/availability-zones.controller.js';
import { ExtensionsController } from './extensions/extensions.controller.js';
import { FlavorAccessController } from './flavors/flavor-access.controller.js';
import { FlavorExtraSpecsController } from './flavors/flavor-extra-specs.controller.js';
import { FlavorsController } from './flavors/flavors.controller.js';
import { ErrorFilter } from './http/error.filter.js';
import { HealthController } from './http/health.controller.js';
import { HypervisorsController } from './hypervisors/hypervisors.controller.js';
import { InstanceActionsController } from './instance-actions/instance-actions.controller.js';
import { KeyPairsController } from './key-pairs/key-pairs.controller.js';
import { LimitsController } from './limits/limits.controller.js';
import { QuotaSetsController } from './limits/quota-sets.controller.js';
import { OpenApiController } from './openapi/openapi.controller.js';
import { type NovaApiPorts, PORTS } from './ports.js';
import { ExternalEventsController } from './server-external-events/external-events.controller.js';
import { ServerActionsController } from './servers/server-actions.controller.js';
import { ServerMetadataController } from './servers/server-metadata.controller.js';
import { ServerTagsController } from './servers/server-tags.controller.js';
import { ServersController } from './servers/servers.controller.js';
import { ServicesController } from './services/services.controller.js';
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
        OpenApiController,
        ExternalEventsController,
        ServersController,
        ServerActionsController,
        ServerMetadataController,
        ServerTagsController,
        VolumeAttachmentsController,
        InstanceActionsController,
        FlavorsController,
        FlavorExtraSpecsController,
        FlavorAccessController,
        KeyPairsController,
        LimitsController,
        QuotaSetsController,
        ExtensionsController,
        ServicesController,
        HypervisorsController,
        AvailabilityZonesController,
        AggregatesController,
      ],
    };
  }
}
