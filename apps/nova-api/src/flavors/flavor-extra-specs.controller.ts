import { Body, Controller, Delete, Get, HttpCode, Inject, Param, Post, Put } from '@nestjs/common';
import { RequestBody } from '../http/body.decorator.js';
import { ApiFault } from '../http/fault.js';
import { has } from '../http/microversion.js';
import { parseFreeBody } from '../http/parse-request.js';
import { authorize } from '../http/policy.js';
import { type ApiCall, Call } from '../http/request-context.js';
import { whyNotExtraSpecs, whyNotOneKey } from '../http/rules.js';
import { type NovaApiPorts, PORTS } from '../ports.js';
import { whyNotExtraSpec } from './extra-spec-rules.js';
import { CreateExtraSpecsBody } from './flavors.dto.js';
import { noSuchFlavor, visibleFlavor } from './visible-flavor.js';

const whyNotOneSpec = whyNotOneKey(whyNotExtraSpecs);
type Specs = Readonly<Record<string, string | number>>;

/** What a flavor asks of hosts and of the hypervisor, by keys and values. */
@Controller('v2.1/flavors/:id/os-extra_specs')
export class FlavorExtraSpecsController {
  constructor(@Inject(PORTS) private readonly io: Pick<NovaApiPorts, 'store'>) {}

  @Get()
  async list(@Call() { context }: ApiCall, @Param('id') id: string) {
    authorize(context, 'os_compute_api:os-flavor-extra-specs:index', { projectId: context.projectId });
    return { extra_specs: (await visibleFlavor(this.io.store, context, id)).extraSpecs };
  }

  @Get(':key')
  async show(@Call() { context }: ApiCall, @Param('id') id: string, @Param('key') key: string) {
    authorize(context, 'os_compute_api:os-flavor-extra-specs:show', { projectId: context.projectId });
    const { extraSpecs } = await visibleFlavor(this.io.store, context, id);
    const value = Object.hasOwn(extraSpecs, key) ? extraSpecs[key] : undefined;
    if (value === undefined) throw noSuchKey(id, key);
    return { [key]: value };
  }

  @Post()
  @HttpCode(200)
  async create(@Call() call: ApiCall, @Param('id') id: string, @RequestBody() body: CreateExtraSpecsBody) {
    authorize(call.context, 'os_compute_api:os-flavor-extra-specs:create', { projectId: null });
    await this.write(call, id, body.extra_specs);
    return { extra_specs: body.extra_specs };
  }

  @Put(':key')
  async update(@Call() call: ApiCall, @Param('id') id: string, @Param('key') key: string, @Body() body: unknown) {
    const specs = parseFreeBody(whyNotOneSpec, body) as Specs;
    authorize(call.context, 'os_compute_api:os-flavor-extra-specs:update', { projectId: null });
    if (!Object.hasOwn(specs, key)) throw new ApiFault(400, 'Request body and URI mismatch');
    await this.write(call, id, specs);
    return specs;
  }

  @Delete(':key')
  @HttpCode(200)
  async delete(@Call() { context }: ApiCall, @Param('id') id: string, @Param('key') key: string): Promise<void> {
    authorize(context, 'os_compute_api:os-flavor-extra-specs:delete', { projectId: null });
    const { extraSpecs } = await visibleFlavor(this.io.store, context, id);
    if (!Object.hasOwn(extraSpecs, key)) throw noSuchKey(id, key);
    if ((await this.io.store.updateFlavor(id, { removeExtraSpec: key })) === null) throw noSuchFlavor(id);
  }

  /** Numbers are kept as text. */
  private async write({ context, microversion }: ApiCall, id: string, specs: Specs): Promise<void> {
    const extraSpecs = Object.fromEntries(Object.entries(specs).map(([key, value]) => [key, String(value)]));
    if (has(microversion, 'flavors.extra-specs-checked')) {
      const wrong = Object.entries(extraSpecs).map(([key, value]) => whyNotExtraSpec(key, value));
      const mistake = wrong.find((why) => why !== null);
      if (mistake !== undefined) throw new ApiFault(400, mistake);
    }
    await visibleFlavor(this.io.store, context, id);
    if ((await this.io.store.updateFlavor(id, { extraSpecs })) === null) throw noSuchFlavor(id);
  }
}

const noSuchKey = (id: string, key: string): ApiFault =>
  new ApiFault(404, `Flavor ${id} has no extra specs with key ${key}.`);
