import { describe, expect, it } from '@jest/globals';
import { type Catalog, endpointOf, type ServiceKind, type WhichEndpoint } from './catalog.js';

const PROJECT = '0123456789abcdef0123456789abcdef';
const endpoint = (kind: string, region: string | null, url: string) => ({ interface: kind, region, url });
const CATALOG: Catalog = [
  { type: 'compute', endpoints: [endpoint('public', 'one', 'http://nova/v2.1')] },
  {
    type: 'volumev3',
    endpoints: [
      endpoint('public', 'one', `http://public.one:8776/v3/${PROJECT}`),
      endpoint('internal', 'one', `http://internal.one:8776/v3/${PROJECT}/`),
      endpoint('internal', 'two', `http://internal.two/volume/v3`),
    ],
  },
  { type: 'image', endpoints: [endpoint('public', 'one', 'http://glance:9292/')] },
];
const NEW_NAME: Catalog = [
  { type: 'volume', endpoints: [endpoint('public', 'one', 'http://first:8776/v1')] },
  { type: 'block-storage', endpoints: [endpoint('public', 'one', 'http://cinder:8776')] },
];
const both = ['internal', 'public'];

describe('the endpoint of a service', () => {
  it.each<[string, Catalog, ServiceKind, WhichEndpoint, string]>([
    [
      'the preferred interface',
      CATALOG,
      'block-storage',
      { interfaces: both, region: 'one' },
      'http://internal.one:8776/v3',
    ],
    [
      'another interface',
      CATALOG,
      'block-storage',
      { interfaces: ['public'], region: 'one' },
      'http://public.one:8776/v3',
    ],
    ['the region', CATALOG, 'block-storage', { interfaces: both, region: 'two' }, 'http://internal.two/volume/v3'],
    ['any region', CATALOG, 'block-storage', { interfaces: both, region: null }, 'http://internal.one:8776/v3'],
    ['the second interface', CATALOG, 'image', { interfaces: both, region: 'one' }, 'http://glance:9292'],
    [
      'the present name before old ones',
      NEW_NAME,
      'block-storage',
      { interfaces: both, region: null },
      'http://cinder:8776/v3',
    ],
  ])('is that of %s', (_, catalog, kind, which, url) => {
    expect(endpointOf(catalog, kind, PROJECT, which)).toBe(url);
  });

  it.each<[string, Catalog, WhichEndpoint]>([
    ['an empty catalog', [], { interfaces: both, region: null }],
    ['another region', CATALOG, { interfaces: both, region: 'three' }],
    ['another interface', CATALOG, { interfaces: ['admin'], region: null }],
  ])('is an error with %s', (_, catalog, which) => {
    const look = () => endpointOf(catalog, 'block-storage', PROJECT, which);
    expect(look).toThrow(expect.objectContaining({ code: 'endpoint-not-found' }));
  });
});
