import { Body, Controller, Delete, Get, HttpCode, Inject, Param, Post, Query, Req, UseGuards } from '@nestjs/common';
import { type FastifyRequest } from 'fastify';
import { noSuch } from '../faults.js';
import { beginDetaching, rollDetaching } from '../flows/attachments.js';
import { createVolume, deleteVolume, setBootable } from '../flows/create-volume.js';
import { completeExtend, extendVolume } from '../flows/extend-volume.js';
import { type Caller, type Parts } from '../flows/parts.js';
import { VOLUME_TYPES, type VolumeRecord, type VolumeType } from '../state/records.js';
import {
  actionOf,
  BodyOf,
  CreateVolumeBody,
  ExtendBody,
  ExtendCompletionBody,
  noSuchAction,
  parseBody,
  SetBootableBody,
  VolumeToCreate,
} from './body.js';
import { CallerGuard, CallerOf } from './caller.js';
import { isTrue, pageOf, type Query as Filters, textOf } from './paging.js';
import { PARTS } from './parts.token.js';
import { volumeSummaryView, volumeView } from './views.js';

/** Mirrors cinder:api/v3/volumes.py and contrib/volume_actions.py. */
@Controller('v3/:project/volumes')
@UseGuards(CallerGuard)
export class VolumesController {
  constructor(@Inject(PARTS) private readonly parts: Parts) {}

  @Post()
  @HttpCode(202)
  async create(
    @CallerOf() caller: Caller,
    @Req() request: FastifyRequest,
    @Body(new BodyOf(CreateVolumeBody)) body: CreateVolumeBody,
  ) {
    const volume = parseBody(VolumeToCreate, body.volume, 'ignored');
    const created = await createVolume(this.parts, caller, {
      size: Number(volume.size),
      name: volume.name ?? null,
      description: volume.description ?? null,
      type: typeOf(volume.volume_type),
      metadata: volume.metadata ?? {},
      availabilityZone: volume.availability_zone ?? null,
      imageId: volume.imageRef ?? volume.image_id ?? null,
    });
    return { volume: this.view(request, created) };
  }

  @Get()
  summaries(@CallerOf() caller: Caller, @Req() request: FastifyRequest, @Query() query: Filters) {
    return this.list(caller, request, query, '', (volume) => volumeSummaryView(baseOf(request), volume));
  }

  @Get('detail')
  details(@CallerOf() caller: Caller, @Req() request: FastifyRequest, @Query() query: Filters) {
    return this.list(caller, request, query, '/detail', (volume) => this.view(request, volume));
  }

  @Get(':id')
  show(@Req() request: FastifyRequest, @Param('id') id: string) {
    return { volume: this.view(request, this.parts.state.volume(id)) };
  }

  @Delete(':id')
  @HttpCode(202)
  async remove(@Param('id') id: string): Promise<void> {
    await deleteVolume(this.parts, id);
  }

  @Post(':id/action')
  @HttpCode(202)
  async action(@CallerOf() caller: Caller, @Param('id') id: string, @Body() body: unknown): Promise<void> {
    const action = actionOf(body);
    switch (action) {
      case 'os-extend': {
        const { new_size } = parseBody(ExtendBody, body)['os-extend'];
        return extendVolume(this.parts, caller, id, Number(new_size));
      }
      case 'os-extend_volume_completion': {
        const { error } = parseBody(ExtendCompletionBody, body)['os-extend_volume_completion'];
        return completeExtend(this.parts, id, error ?? false);
      }
      case 'os-begin_detaching':
        return beginDetaching(this.parts, id);
      case 'os-roll_detaching':
        return rollDetaching(this.parts, id);
      case 'os-set_bootable':
        return setBootable(this.parts, id, parseBody(SetBootableBody, body)['os-set_bootable'].bootable);
      default:
        throw noSuchAction(action);
    }
  }

  private list(
    caller: Caller,
    request: FastifyRequest,
    query: Filters,
    path: '' | '/detail',
    show: (volume: VolumeRecord) => object,
  ) {
    const all = isTrue(textOf(query, 'all_tenants'));
    const [status, name] = [textOf(query, 'status'), textOf(query, 'name')];
    const wanted = this.parts.state.volumes
      .all()
      .filter((volume) => all || volume.projectId === caller.projectId)
      .filter((volume) => status === undefined || volume.status === status)
      .filter((volume) => name === undefined || volume.name === name);
    const { page, next } = pageOf(wanted, query);
    const volumes = page.map(show);
    if (next === null) return { volumes };
    const after = new URLSearchParams();
    for (const key of Object.keys(query)) after.set(key, textOf(query, key) ?? '');
    after.set('marker', next);
    const href = `${baseOf(request)}/v3/${caller.projectId}/volumes${path}?${after.toString()}`;
    return { volumes, volumes_links: [{ rel: 'next', href }] };
  }

  private view(request: FastifyRequest, volume: VolumeRecord) {
    return volumeView(baseOf(request), volume, this.parts.state.attachmentsOf(volume.id));
  }
}

const baseOf = (request: FastifyRequest) => `${request.protocol}://${request.host}`;

function typeOf(name: string | null | undefined): VolumeType {
  if (name === undefined || name === null || name === '') return '__DEFAULT__';
  const type = VOLUME_TYPES.find((each) => each === name);
  if (type === undefined) throw noSuch('Volume type', name);
  return type;
}
