import { Controller, Get, HttpCode, Req } from '@nestjs/common';
import { type FastifyRequest } from 'fastify';
import { LARGEST_MINOR } from './caller.js';

/** Version discovery. Mirrors cinder:api/versions.py: 300 at the root, 200 below /v3/. Needs no token. */
@Controller()
export class VersionsController {
  @Get()
  @HttpCode(300)
  all(@Req() request: FastifyRequest) {
    return this.versions(request);
  }

  @Get('v3')
  index(@Req() request: FastifyRequest) {
    return this.versions(request);
  }

  private versions(request: FastifyRequest) {
    const self = { rel: 'self', href: `${request.protocol}://${request.host}/v3/` };
    const media = { base: 'application/json', type: 'application/vnd.openstack.volume+json;version=3' };
    return {
      versions: [
        {
          id: 'v3.0',
          status: 'CURRENT',
          version: `3.${LARGEST_MINOR}`,
          min_version: '3.0',
          updated: '2022-03-30T00:00:00Z',
          links: [self],
          'media-types': [media],
        },
      ],
    };
  }
}
