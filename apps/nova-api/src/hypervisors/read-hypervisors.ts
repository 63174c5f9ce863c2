import type { HostName, ServerId } from '@novella/core';
import { EVERY_PROJECT, type Instance, type Service } from '@novella/persistence';
import { ApiFault } from '../http/fault.js';
import { has } from '../http/microversion.js';
import type { ApiCall } from '../http/request-context.js';
import type { NovaApiPorts } from '../ports.js';
import { idOf } from '../services/find-service.js';
import type { HypervisorFacts } from './hypervisor.view.js';

/** Hypervisors are the computes' services: what is read of them, from the store and from the hosts themselves. */
export type HypervisorsIo = Pick<NovaApiPorts, 'store' | 'compute' | 'config' | 'log'>;

export interface Wanted {
  readonly servers: boolean;
  readonly uptime: boolean;
}

/** Parts of host names are matched wherever they are. Error: 404 when none matches. */
export async function matchingHosts(io: HypervisorsIo, pattern: string): Promise<Service[]> {
  const matching = (await io.store.services('nova-compute')).filter(({ hypervisor }) =>
    hypervisor.hostname.includes(pattern),
  );
  if (matching.length === 0) throw new ApiFault(404, `No hypervisor matching '${pattern}' could be found.`);
  return matching;
}

export interface HostPage {
  readonly services: readonly Service[];
  /** The id that the next page comes after; null when this is the last. */
  readonly next: string | null;
}

/** Hosts are few enough to be read all. Error: 400 for a marker that is none. */
export async function pageOfHosts(
  io: HypervisorsIo,
  page: { readonly limit: number; readonly marker: string | undefined },
  call: Pick<ApiCall, 'microversion'>,
): Promise<HostPage> {
  const all = await io.store.services('nova-compute');
  const after = page.marker === undefined ? -1 : all.findIndex((each) => String(idOf(each, call)) === page.marker);
  if (page.marker !== undefined && after === -1) throw new ApiFault(400, `marker [${page.marker}] not found`);
  const services = all.slice(after + 1, after + 1 + page.limit);
  const last = services.at(-1);
  const full = last !== undefined && services.length === page.limit;
  return { services, next: full ? String(idOf(last, call)) : null };
}

/** The one of this id. Errors: 404; 400 for what is no uuid, from 2.53. */
export async function hostOf(
  io: HypervisorsIo,
  id: string,
  call: Pick<ApiCall, 'microversion'>,
  find: (id: string) => Promise<Service | null>,
): Promise<Service> {
  // Before 2.53 a word is as unknown as a number that nobody has.
  const service = has(call.microversion, 'hosts.by-uuid') || /^\d+$/.test(id) ? await find(id) : null;
  if (service?.binary !== 'nova-compute') {
    throw new ApiFault(404, `Hypervisor with ID '${id}' could not be found.`);
  }
  return service;
}

export async function readFacts(
  io: HypervisorsIo,
  services: readonly Service[],
  wanted: Wanted,
): Promise<HypervisorFacts[]> {
  const counts = await io.store.serversByHost();
  return Promise.all(
    services.map(async (service) => {
      const [servers, uptimeS] = await Promise.all([
        wanted.servers ? serversOn(io, service.host) : null,
        wanted.uptime && service.up ? uptimeOf(io, service.host).catch(() => null) : null,
      ]);
      return { service, serverCount: counts.get(service.host) ?? 0, servers, uptimeS };
    }),
  );
}

/** Asks the host itself; rejects as any RPC call does. */
export const uptimeOf = async (io: HypervisorsIo, host: HostName): Promise<number> =>
  (await io.compute(host).ping({})).uptimeS;

async function serversOn({ store, config }: HypervisorsIo, host: HostName): Promise<Instance[]> {
  const servers: Instance[] = [];
  let marker: ServerId | null = null;
  for (;;) {
    const page: Instance[] | 'unknown-marker' | 'bad-pattern' = await store.instances({
      projectId: EVERY_PROJECT,
      hosts: [host],
      limit: config.maxLimit,
      marker,
    });
    // The server that was the marker has been forgotten meanwhile: what was read is what there is to tell.
    if (typeof page === 'string') return servers;
    servers.push(...page);
    if (page.length < config.maxLimit) return servers;
    marker = page.at(-1)?.id ?? null;
  }
}
