import { All, Controller, Get, HttpCode, Inject, Req } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { linkBase, type LinkConfig } from '../http/links.js';
import { PORTS } from '../ports.js';
import { choicesView, versionsView, versionView } from './version.view.js';

/** Discovery, without authentication. requested-path.ts sends every path without a version to `choices`. */
@Controller()
export class VersionsController {
  constructor(@Inject(PORTS) private readonly io: { readonly config: LinkConfig }) {}

  @Get('/')
  versions(@Req() request: FastifyRequest) {
    return versionsView(linkBase(request, this.io.config));
  }

  @Get('v2.1')
  version(@Req() request: FastifyRequest) {
    return versionView(linkBase(request, this.io.config), 'v2.1');
  }

  @Get('v2')
  legacyVersion(@Req() request: FastifyRequest) {
    return versionView(linkBase(request, this.io.config), 'v2');
  }

  @All('choices')
  @HttpCode(300)
  choices(@Req() request: FastifyRequest) {
    return choicesView(linkBase(request, this.io.config), request.originalUrl.split('?', 1)[0] ?? '');
  }
}
