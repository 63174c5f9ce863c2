import type { Flavor } from '@novella/persistence';
import { has } from '../http/microversion.js';
import { allows } from '../http/policy.js';
import type { ApiCall } from '../http/request-context.js';

/** Mirrors nova:nova/api/openstack/compute/views/flavors.py. */
export const flavorSummaryView = (flavor: Flavor, call: ApiCall) => ({
  id: flavor.id,
  name: flavor.name,
  links: flavorLinks(flavor, call),
  ...descriptionView(flavor, call),
});

export const flavorView = (flavor: Flavor, call: ApiCall) => ({
  id: flavor.id,
  name: flavor.name,
  ram: flavor.memoryMib,
  disk: flavor.rootGib,
  vcpus: flavor.vcpus,
  swap: flavor.swapMib === 0 && !has(call.microversion, 'flavors.swap-number') ? '' : flavor.swapMib,
  'OS-FLV-EXT-DATA:ephemeral': flavor.ephemeralGib,
  'OS-FLV-DISABLED:disabled': flavor.disabled,
  'os-flavor-access:is_public': flavor.isPublic,
  rxtx_factor: flavor.rxtxFactor,
  links: flavorLinks(flavor, call),
  ...descriptionView(flavor, call),
  ...(has(call.microversion, 'flavors.extra-specs') &&
  allows(call.context, 'os_compute_api:os-flavor-extra-specs:index', call.context)
    ? { extra_specs: flavor.extraSpecs }
    : {}),
});

const flavorLinks = ({ id }: Flavor, { links }: ApiCall) => [
  { rel: 'self', href: links.self(`/flavors/${id}`) },
  { rel: 'bookmark', href: links.bookmark(`/flavors/${id}`) },
];

const descriptionView = ({ description }: Flavor, { microversion }: ApiCall) =>
  has(microversion, 'flavors.description') ? { description } : {};
