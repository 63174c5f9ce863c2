import type { NestApplicationOptions } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { Random } from '@novella/core';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { connectionOptions, watchConnections } from './http/connections.js';
import { faultBody } from './http/fault.js';
import { giveRequestId, installRequestHooks } from './http/request-hooks.js';
import { routedUrl } from './http/requested-path.js';
import { HttpSettings } from './http-settings.js';
import { NovaApiModule } from './nova-api.module.js';
import type { NovaApiPorts } from './ports.js';

/** The hooks parse bodies themselves, in Nova's order of complaints. */
// Nest types its options as a class; they are read as a plain object.
const OPTIONS: NestApplicationOptions = { bodyParser: false, logger: false, abortOnError: false };

/** The router has refused the URL, before any hook: a `%` that escapes nothing. */
const answerBadUrl =
  (random: Random) =>
  (_error: Error, request: FastifyRequest, reply: FastifyReply): void => {
    giveRequestId(request, reply, random);
    const body = JSON.stringify(faultBody(400, 'The URL is malformed.'));
    void reply.status(400).header('content-type', 'application/json; charset=UTF-8').send(body);
  };

/** The compute API, ready to listen or to be injected into. The caller closes it. */
export async function createNovaApi(ports: NovaApiPorts): Promise<NestFastifyApplication> {
  const settings = ports.config.http ?? new HttpSettings();
  const adapter = new FastifyAdapter({
    ...connectionOptions(settings),
    rewriteUrl: (request: { url?: string | undefined }) => routedUrl(request.url ?? '/'),
    // Longer than any URL that Node reads: an id that is too long is an id that is not there.
    routerOptions: { maxParamLength: 65_536 },
    frameworkErrors: answerBadUrl(ports.random),
  });
  installRequestHooks(adapter.getInstance(), ports);
  const app = await NestFactory.create<NestFastifyApplication>(NovaApiModule.register(ports), adapter, OPTIONS);
  watchConnections(adapter.getInstance().server, settings, ports.log);
  await app.init();
  await adapter.getInstance().ready();
  return app;
}
