import { Controller, Get, Inject, Param, Query } from '@nestjs/common';
import type { Flavor } from '@novella/persistence';
import { ApiFault } from '../http/fault.js';
import { has } from '../http/microversion.js';
import { nextPageLink, pageLimit } from '../http/paging.js';
import { parseQuery } from '../http/parse-request.js';
import { authorize } from '../http/policy.js';
import { type ApiCall, Call } from '../http/request-context.js';
import { OneOf, Text } from '../http/rules.js';
import { type NovaApiPorts, PORTS } from '../ports.js';
import { flavorSummaryView, flavorView } from './flavor.view.js';

const SORT_KEYS = ['flavorid', 'name', 'memory_mb', 'vcpus', 'root_gb', 'created_at', 'id'];

class ListFlavorsQuery {
  @Text({ pattern: /^\d+$/ }) readonly limit?: string;
  @Text() readonly marker?: string;
  @Text() readonly is_public?: string;
  @Text({ pattern: /^\d+$/ }) readonly minRam?: string;
  @Text({ pattern: /^\d+$/ }) readonly minDisk?: string;
  @OneOf(SORT_KEYS) readonly sort_key?: string;
  @OneOf(['asc', 'desc']) readonly sort_dir?: string;
}

/** Flavors are few: filters and pages are made here. */
@Controller('v2.1/flavors')
export class FlavorsController {
  constructor(@Inject(PORTS) private readonly io: Pick<NovaApiPorts, 'store' | 'config'>) {}

  @Get()
  async list(@Call() call: ApiCall, @Query() query: unknown) {
    const { flavors, links } = await this.page(call, query, '/flavors');
    return { flavors: flavors.map((flavor) => flavorSummaryView(flavor, call)), ...links };
  }

  @Get('detail')
  async detail(@Call() call: ApiCall, @Query() query: unknown) {
    const { flavors, links } = await this.page(call, query, '/flavors/detail');
    return { flavors: flavors.map((flavor) => flavorView(flavor, call)), ...links };
  }

  @Get(':id')
  async show(@Call() call: ApiCall, @Param('id') id: string) {
    return { flavor: flavorView(await this.visible(call, id), call) };
  }

  @Get(':id/os-extra_specs')
  async extraSpecs(@Call() call: ApiCall, @Param('id') id: string) {
    authorize(call.context, 'os_compute_api:os-flavor-extra-specs:index', { projectId: call.context.projectId });
    return { extra_specs: (await this.visible(call, id)).extraSpecs };
  }

  @Get(':id/os-extra_specs/:key')
  async extraSpec(@Call() call: ApiCall, @Param('id') id: string, @Param('key') key: string) {
    authorize(call.context, 'os_compute_api:os-flavor-extra-specs:show', { projectId: call.context.projectId });
    const { extraSpecs } = await this.visible(call, id);
    const value = Object.hasOwn(extraSpecs, key) ? extraSpecs[key] : undefined;
    if (value === undefined) throw new ApiFault(404, `Flavor ${id} has no extra specs with key ${key}.`);
    return { [key]: value };
  }

  private async visible({ context }: ApiCall, id: string): Promise<Flavor> {
    const flavor = await this.io.store.flavor(id);
    if (flavor !== null && (flavor.isPublic || context.isAdmin)) return flavor;
    throw new ApiFault(404, `Flavor ${id} could not be found.`);
  }

  private async page(call: ApiCall, rawQuery: unknown, path: string) {
    const unknownKeys = has(call.microversion, 'strict-queries') ? 'refuse' : 'drop';
    const query = parseQuery(ListFlavorsQuery, rawQuery, call, { unknownKeys });
    const wanted = sorted(await this.io.store.flavors(), query).filter((flavor) => selects(query, call, flavor));
    const after = query.marker === undefined ? 0 : wanted.findIndex(({ id }) => id === query.marker) + 1;
    if (query.marker !== undefined && after === 0) throw new ApiFault(400, `marker [${query.marker}] not found`);
    const limit = pageLimit(query.limit, this.io.config.maxLimit);
    const flavors = wanted.slice(after, after + limit);
    const last = flavors.at(-1);
    const full = last !== undefined && flavors.length === limit;
    return { flavors, links: full ? { flavors_links: nextPageLink(call.links, path, query, last.id) } : {} };
  }
}

function selects(query: ListFlavorsQuery, { context }: ApiCall, flavor: Flavor): boolean {
  const isPublic = query.is_public?.toLowerCase();
  const visible =
    !context.isAdmin || isPublic === undefined
      ? flavor.isPublic
      : isPublic === 'none' || String(flavor.isPublic) === isPublic;
  return (
    visible &&
    !flavor.disabled &&
    flavor.memoryMib >= Number(query.minRam ?? 0) &&
    flavor.rootGib >= Number(query.minDisk ?? 0)
  );
}

function sorted(flavors: readonly Flavor[], query: ListFlavorsQuery): Flavor[] {
  const keyOf = (flavor: Flavor): string | number => {
    if (query.sort_key === 'name') return flavor.name;
    if (query.sort_key === 'memory_mb') return flavor.memoryMib;
    if (query.sort_key === 'vcpus') return flavor.vcpus;
    return query.sort_key === 'root_gb' ? flavor.rootGib : flavor.id;
  };
  const order = query.sort_dir === 'desc' ? -1 : 1;
  const compare = (a: string | number, b: string | number): number => (a < b ? -1 : Number(a > b));
  return flavors.toSorted((a, b) => order * (compare(keyOf(a), keyOf(b)) || compare(a.id, b.id)));
}
