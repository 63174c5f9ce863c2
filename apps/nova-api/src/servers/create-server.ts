import { NovellaError, type Random } from '@novella/core';
import { ApiFault } from '../http/fault.js';
import { type PolicyTarget, authorize } from '../http/policy.js';
import { type ApiCall, requesterOf } from '../http/request-context.js';
import type { ImageApi } from '../image-api.js';
import { reserveAtCinder, type ReserveIo } from '../volume-attachments/reserve-at-cinder.js';
import type { CreateServerDto, ServerDto } from './create-server.dto.js';
import { type CreateFacts, decideCreate, type NewServers } from './decide-create.js';
import { NO_IMAGES, readImages } from './read-images.js';
import { readServerRequest, type ServerRequest } from './server-request.js';

/**
 * POST /servers: read what it is made of, decide, write servers, mappings and build operations, reserve the volumes at
 * Cinder in the user's name, let the engine begin. A refusal by Cinder leaves nothing behind.
 */
export interface CreateServerIo extends ReserveIo {
  readonly images: ImageApi;
  readonly random: Random;
}

export async function createServer(
  io: CreateServerIo,
  call: ApiCall,
  body: CreateServerDto,
): Promise<{ request: ServerRequest; created: NewServers }> {
  authorizeCreate(call, body.server);
  const request = readServerRequest(body, call);
  const facts = await readFacts(io, request, call);
  const created = decideCreate(request, facts, call, () => io.random.uuid());
  await write(io, call, created);
  io.hint();
  return { request, created };
}

async function write(io: CreateServerIo, { context }: ApiCall, { instances, mappings }: NewServers): Promise<void> {
  const requester = requesterOf(context);
  const [instance, ...others] = instances;
  if (others.length > 0) {
    await io.store.createInstances({ instances, requester });
    return;
  }
  const { confirmWithin } = io.config;
  const written = await io.store.createInstance({ instance, mappings, requester, confirmWithin });
  if (mappings.length === 0) return;
  await reserveAtCinder(io, { serverId: instance.id, ...written, user: context }).catch(asBadRequest);
}

function authorizeCreate({ context }: ApiCall, server: ServerDto): void {
  const target: PolicyTarget = { projectId: context.projectId };
  authorize(context, 'os_compute_api:servers:create', target);
  if (server.availability_zone?.includes(':') === true) {
    authorize(context, 'os_compute_api:servers:create:forced_host', target);
  }
  if (server.host !== undefined || server.hypervisor_hostname !== undefined) {
    authorize(context, 'compute:servers:create:requested_destination', target);
  }
  if ((server.block_device_mapping_v2 ?? []).length > 0) {
    authorize(context, 'os_compute_api:servers:create:attach_volume', target);
  }
  if (server.networks !== undefined && server.networks !== 'none' && server.networks.length > 0) {
    authorize(context, 'os_compute_api:servers:create:attach_network', target);
  }
  if ((server.trusted_image_certificates ?? []).length > 0) {
    authorize(context, 'os_compute_api:servers:create:trusted_certs', target);
  }
}

async function readFacts(io: CreateServerIo, request: ServerRequest, { context }: ApiCall): Promise<CreateFacts> {
  const [flavor, images, volumes, keyPair] = await Promise.all([
    io.store.flavor(request.flavorRef),
    request.imageRef === null ? NO_IMAGES : readImages(io.images, request.imageRef, context),
    Promise.all(request.volumes.map(({ volumeId }) => io.cinder.volume(volumeId, context))).catch(asBadRequest),
    request.keyName === null ? null : io.store.keyPair(context.userId, request.keyName),
  ]);
  return { flavor, images, keyPair, volumes: new Map(volumes.map((volume) => [volume.id, volume])) };
}

/** A volume that is not there is a wrong body here, not a wrong URL. */
function asBadRequest(error: unknown): never {
  if (error instanceof NovellaError && error.code === 'volume-not-found') {
    throw new ApiFault(400, `Block Device Mapping is Invalid: ${error.message}`, { cause: error });
  }
  throw error;
}
