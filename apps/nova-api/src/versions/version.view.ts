import { formatMicroversion, MAX_MICROVERSION, MIN_MICROVERSION } from '../http/microversion.js';

/** Version documents. Mirrors nova:nova/api/openstack/compute/views/versions.py. */
interface ApiVersion {
  readonly id: 'v2.0' | 'v2.1';
  readonly path: 'v2' | 'v2.1';
  readonly status: 'SUPPORTED' | 'CURRENT';
  readonly version: string;
  readonly min_version: string;
  readonly updated: string;
  readonly mediaType: string;
}

const V20: ApiVersion = {
  id: 'v2.0',
  path: 'v2',
  status: 'SUPPORTED',
  version: '',
  min_version: '',
  updated: '2011-01-21T11:33:21Z',
  mediaType: 'application/vnd.openstack.compute+json;version=2',
};
const V21: ApiVersion = {
  id: 'v2.1',
  path: 'v2.1',
  status: 'CURRENT',
  version: formatMicroversion(MAX_MICROVERSION),
  min_version: formatMicroversion(MIN_MICROVERSION),
  updated: '2013-07-23T11:33:21Z',
  mediaType: 'application/vnd.openstack.compute+json;version=2.1',
};

const summary = ({ id, status, version, min_version, updated }: ApiVersion) => ({
  id,
  status,
  version,
  min_version,
  updated,
});
const self = (base: string, { path }: ApiVersion, rest = '') => ({ rel: 'self', href: `${base}/${path}/${rest}` });
const mediaTypes = ({ mediaType }: ApiVersion) => [{ base: 'application/json', type: mediaType }];

export const versionsView = (base: string) => ({
  versions: [V20, V21].map((each) => ({ ...summary(each), links: [self(base, each)] })),
});

export function versionView(base: string, which: 'v2' | 'v2.1') {
  const version = which === 'v2' ? V20 : V21;
  const describedBy = { rel: 'describedby', type: 'text/html', href: 'http://docs.openstack.org/' };
  return {
    version: {
      ...summary(version),
      links: [self(base, version), describedBy],
      'media-types': mediaTypes(version),
    },
  };
}

/** For a path without a version: where it would be under each. */
export const choicesView = (base: string, path: string) => ({
  choices: [V20, V21].map((each) => ({
    id: each.id,
    status: each.status,
    links: [self(base, each, path.replace(/^\/+/, ''))],
    'media-types': mediaTypes(each),
  })),
});
