import 'reflect-metadata';
import { randomUUID } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { type DynamicModule, Module, type NestApplicationOptions } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import { type Log } from '@novella/core';
import { ImageFiles } from './backend/image-files.js';
import { VolumeFiles } from './backend/volume-files.js';
import { BackgroundWork } from './flows/background-work.js';
import { type Parts } from './flows/parts.js';
import { resume } from './flows/resume.js';
import { AttachmentsController } from './http/attachments.controller.js';
import { FaultFilter } from './http/fault.filter.js';
import { MessagesController } from './http/messages.controller.js';
import { PARTS } from './http/parts.token.js';
import { VersionsController } from './http/versions.controller.js';
import { VolumesController } from './http/volumes.controller.js';
import { NovaEvents } from './nova/nova-events.js';
import { State } from './state/state.js';

export interface CinderDevOptions {
  /** 0: a free one. */
  readonly port: number;
  /** Loopback unless told otherwise: everybody who reaches the port is an administrator. */
  readonly listen?: string;
  /** Documents and volume files; made when it is not there. One process at a time. */
  readonly dataDir: string;
  /** `http://host:port/v2.1`, told of each volume that has grown while in use. */
  readonly novaEndpoint: string;
  readonly novaHeaders?: Readonly<Record<string, string>>;
  /** Hosts are given loop devices instead of files; needs root. */
  readonly useLoop?: boolean;
  /** Images that volumes can be made of: `<id>.json`, as Glance describes it, beside its file. None unless given. */
  readonly imagesDir?: string | null;
  readonly log: Log;
}
export interface CinderDev {
  /** `http://host:port/v3` */
  readonly url: string;
  /** Stops listening, waits for what goes on in the background and detaches the loop devices that it made. */
  close(): Promise<void>;
}

/** How long a Nova that does not answer may hold up `close`. */
const CLOSING_GRACE_MS = 5_000;

@Module({})
class CinderDevModule {
  static with(parts: Parts): DynamicModule {
    return {
      module: CinderDevModule,
      controllers: [VersionsController, VolumesController, AttachmentsController, MessagesController],
      providers: [{ provide: PARTS, useValue: parts }],
    };
  }
}

/**
 * A small stand-in for Cinder's v3 API over sparse files, without authentication. Throws when the data folder cannot be
 * read or the port is taken.
 */
export async function startCinderDev(options: CinderDevOptions): Promise<CinderDev> {
  const { dataDir, log } = options;
  await mkdir(dataDir, { recursive: true });
  const headers = options.novaHeaders ?? { 'X-Auth-Token': 'cinder:service' };
  const parts: Parts = {
    state: await State.open(dataDir),
    files: await VolumeFiles.open(dataDir, options.useLoop ?? false),
    images: new ImageFiles(options.imagesDir ?? null),
    nova: new NovaEvents({ endpoint: options.novaEndpoint.replace(/\/+$/, ''), headers, log }),
    work: new BackgroundWork(log),
    log,
  };
  const app = await createApp(parts);
  await app.listen(options.port, options.listen ?? '127.0.0.1');
  await resume(parts);
  const url = `${(await app.getUrl()).replace('[::1]', '127.0.0.1')}/v3`;
  log.info('cinder-dev listens', { url, dataDir });
  return {
    url,
    async close() {
      await app.close();
      const giveUp = setTimeout(() => parts.nova.close(), CLOSING_GRACE_MS);
      await parts.work.settled();
      clearTimeout(giveUp);
      await parts.files.close();
    },
  };
}

async function createApp(parts: Parts): Promise<NestFastifyApplication> {
  const adapter = new FastifyAdapter({
    genReqId: () => `req-${randomUUID()}`,
    forceCloseConnections: true,
    routerOptions: { ignoreTrailingSlash: true },
  });
  adapter.getInstance().addHook('onRequest', (request, reply, done) => {
    void reply.headers({ 'x-compute-request-id': request.id, 'x-openstack-request-id': request.id });
    done();
  });
  const settings: NestApplicationOptions = { logger: false, abortOnError: false };
  const app = await NestFactory.create<NestFastifyApplication>(CinderDevModule.with(parts), adapter, settings);
  app.useGlobalFilters(new FaultFilter(parts.log));
  return app;
}
