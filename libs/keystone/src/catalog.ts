import { NovellaError } from '@novella/core';

/** A service of the catalog that comes with a token. */
export interface CatalogService {
  /** `compute` */
  readonly type: string;
  readonly endpoints: readonly CatalogEndpoint[];
}
export interface CatalogEndpoint {
  readonly interface: string;
  readonly region: string | null;
  readonly url: string;
}
export type Catalog = readonly CatalogService[];

/**
 * The names that clouds give a service, the present one first; service-types-authority has the list. `version` is the
 * part of the path that is added where the catalog leaves it out.
 */
const SERVICES = {
  'block-storage': { types: ['block-storage', 'block-store', 'volumev3', 'volume'], version: '/v3' },
  image: { types: ['image'], version: '' },
} as const;
export type ServiceKind = keyof typeof SERVICES;

export interface WhichEndpoint {
  /** In the order of preference: `['internal', 'public']`. */
  readonly interfaces: readonly string[];
  /** null: of any region, the first that the catalog names. */
  readonly region: string | null;
}

/**
 * The URL of a service without a project: where the catalog's template has the project of the token at its end, that is
 * taken off, and callers put theirs there. Error: endpoint-not-found.
 */
export function endpointOf(catalog: Catalog, kind: ServiceKind, projectId: string, which: WhichEndpoint): string {
  const { types, version } = SERVICES[kind];
  for (const type of types) {
    const endpoints = catalog.filter((service) => service.type === type).flatMap((service) => service.endpoints);
    for (const wanted of which.interfaces) {
      const found = endpoints.find(
        (endpoint) => endpoint.interface === wanted && (which.region === null || endpoint.region === which.region),
      );
      if (found !== undefined) return versioned(withoutProject(found.url, projectId), version);
    }
  }
  const facts = { service: kind, interfaces: which.interfaces.join(', '), region: which.region };
  throw new NovellaError('endpoint-not-found', `the catalog has no ${kind} endpoint`, facts);
}

function withoutProject(url: string, projectId: string): string {
  const bare = url.replace(/\/+$/, '');
  return bare.endsWith(`/${projectId}`) ? bare.slice(0, -projectId.length - 1).replace(/\/+$/, '') : bare;
}

const versioned = (url: string, version: string): string => (url.endsWith(version) ? url : `${url}${version}`);
