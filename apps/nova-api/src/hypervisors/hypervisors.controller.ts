import { Controller, Get, Inject, Param, Query } from '@nestjs/common';
import { NovellaError } from '@novella/core';
import { ApiFault } from '../http/fault.js';
import { has, stillHas, type UNTIL } from '../http/microversion.js';
import { nextPageLink, pageLimit } from '../http/paging.js';
import { parseQuery } from '../http/parse-request.js';
import { authorize, type RuleName } from '../http/policy.js';
import { type ApiCall, Call } from '../http/request-context.js';
import { isTrue } from '../http/rules.js';
import { PORTS } from '../ports.js';
import { findService } from '../services/find-service.js';
import { hypervisorSummaryView, hypervisorView, statisticsView, uptimeView } from './hypervisor.view.js';
import { ListHypervisorsQuery, ShowHypervisorQuery } from './hypervisors.dto.js';
import { hostOf, type HypervisorsIo, matchingHosts, pageOfHosts, readFacts, uptimeOf } from './read-hypervisors.js';

/** For administrators. Mirrors nova:nova/api/openstack/compute/hypervisors.py. */
@Controller('v2.1/os-hypervisors')
export class HypervisorsController {
  constructor(@Inject(PORTS) private readonly io: HypervisorsIo) {}

  @Get()
  async list(@Call() call: ApiCall, @Query() query: unknown) {
    const { facts, links } = await this.page(call, query, 'list', false);
    return { hypervisors: facts.map((each) => hypervisorSummaryView(each, call)), ...links };
  }

  @Get('detail')
  async detail(@Call() call: ApiCall, @Query() query: unknown) {
    const { facts, links } = await this.page(call, query, 'list-detail', true);
    return { hypervisors: facts.map((each) => hypervisorView(each, call)), ...links };
  }

  /** Sums over the hosts that are not disabled. */
  @Get('statistics')
  async statistics(@Call() call: ApiCall) {
    this.allow(call, 'statistics', 'hypervisors.capacity');
    const enabled = (await this.io.store.services('nova-compute')).filter(({ disabled }) => !disabled);
    return { hypervisor_statistics: statisticsView(await readFacts(this.io, enabled, NOTHING_MORE)) };
  }

  @Get(':id')
  async show(@Call() call: ApiCall, @Param('id') id: string, @Query() rawQuery: unknown) {
    // Before, no query is looked at.
    const asked = has(call.microversion, 'hosts.by-uuid');
    const query = asked ? parseQuery(ShowHypervisorQuery, rawQuery, call, { unknownKeys: 'refuse' }) : {};
    this.allow(call, 'show');
    const service = await this.host(id, call);
    const wanted = { servers: isTrue(query.with_servers), uptime: has(call.microversion, 'hypervisors.uptime') };
    const [hypervisor] = (await readFacts(this.io, [service], wanted)).map((facts) => hypervisorView(facts, call));
    return { hypervisor };
  }

  @Get(':id/uptime')
  async uptime(@Call() call: ApiCall, @Param('id') id: string) {
    this.allow(call, 'uptime', 'hypervisors.capacity');
    const service = await this.host(id, call);
    const facts = { service, serverCount: 0, servers: null, uptimeS: null };
    const unavailable = new ApiFault(400, `Compute service of ${service.host} is unavailable at this time.`);
    if (!service.up) throw unavailable;
    const uptimeS = await uptimeOf(this.io, service.host).catch((error: unknown) => {
      throw isAbsent(error) ? unavailable : error;
    });
    return { hypervisor: { ...hypervisorSummaryView(facts, call), uptime: uptimeView(uptimeS) } };
  }

  @Get(':pattern/search')
  async search(@Call() call: ApiCall, @Param('pattern') pattern: string) {
    this.allow(call, 'search', 'hypervisors.search-routes');
    const facts = await readFacts(this.io, await matchingHosts(this.io, pattern), NOTHING_MORE);
    return { hypervisors: facts.map((each) => hypervisorSummaryView(each, call)) };
  }

  @Get(':pattern/servers')
  async servers(@Call() call: ApiCall, @Param('pattern') pattern: string) {
    this.allow(call, 'servers', 'hypervisors.search-routes');
    const facts = await readFacts(this.io, await matchingHosts(this.io, pattern), { servers: true, uptime: false });
    return { hypervisors: facts.map((each) => hypervisorSummaryView(each, call)) };
  }

  private async page(call: ApiCall, rawQuery: unknown, rule: 'list' | 'list-detail', detail: boolean) {
    const unknownKeys = has(call.microversion, 'hosts.by-uuid') ? 'refuse' : 'drop';
    const paged = has(call.microversion, 'hypervisors.paging');
    const query = paged ? parseQuery(ListHypervisorsQuery, rawQuery, call, { unknownKeys }) : {};
    this.allow(call, rule);
    const pattern = query.hypervisor_hostname_pattern;
    if (pattern !== undefined && (query.limit !== undefined || query.marker !== undefined)) {
      throw new ApiFault(
        400,
        'Paging over hypervisors with the hypervisor_hostname_pattern query parameter is not supported.',
      );
    }
    const limit = paged ? pageLimit(query.limit, this.io.config.maxLimit) : Number.MAX_SAFE_INTEGER;
    const { services, next } =
      pattern === undefined
        ? await pageOfHosts(this.io, { limit, marker: query.marker }, call)
        : { services: await matchingHosts(this.io, pattern), next: null };
    const wanted = {
      servers: isTrue(query.with_servers),
      uptime: detail && has(call.microversion, 'hypervisors.uptime'),
    };
    const path = detail ? '/os-hypervisors/detail' : '/os-hypervisors';
    return {
      facts: await readFacts(this.io, services, wanted),
      links: next === null ? {} : { hypervisors_links: nextPageLink(call.links, path, query, next) },
    };
  }

  private host(id: string, call: ApiCall) {
    return hostOf(this.io, id, call, (known) => findService(this.io.store, known, call));
  }

  /** 404 where the microversion no longer has the route, 403 for who is no administrator. */
  private allow({ context, microversion }: ApiCall, rule: Action, route?: keyof typeof UNTIL): void {
    if (route !== undefined && !stillHas(microversion, route)) {
      throw new ApiFault(404, 'The resource could not be found.');
    }
    authorize(context, `os_compute_api:os-hypervisors:${rule}` satisfies RuleName, { projectId: null });
  }
}
const NOTHING_MORE = { servers: false, uptime: false };

type Action = 'list' | 'list-detail' | 'show' | 'uptime' | 'search' | 'servers' | 'statistics';

const isAbsent = (error: unknown): boolean =>
  error instanceof NovellaError && (error.code === 'rpc-timeout' || error.code === 'rpc-no-route');
