import { isUuid } from '@novella/core';
import type { Service } from '@novella/persistence';
import { ApiFault } from '../http/fault.js';
import { has } from '../http/microversion.js';
import type { ApiCall } from '../http/request-context.js';
import { whyNotUuid } from '../http/rules.js';
import type { NovaApiStore } from '../ports.js';

/**
 * The id under which services and hypervisors go: their uuid from 2.53, before that a number that follows from it, the
 * same in every process and for good. Two services may share a number; what would change one of them is then refused.
 */
export const idOf = ({ id }: Pick<Service, 'id'>, { microversion }: Pick<ApiCall, 'microversion'>): string | number =>
  has(microversion, 'hosts.by-uuid') ? id : numberOf(id);

/** 31 bits, for clients that keep it in a signed integer. */
const numberOf = (uuid: string): number => Number.parseInt(uuid.slice(0, 8), 16) >>> 1;

export async function allServices(store: NovaApiStore): Promise<Service[]> {
  const [conductors, computes] = await Promise.all([store.services('nova-conductor'), store.services('nova-compute')]);
  return [...conductors, ...computes];
}

/** null when there is none; 400 for an id of the wrong form or a number that several share. */
export async function findService(
  store: NovaApiStore,
  id: string,
  { microversion }: Pick<ApiCall, 'microversion'>,
): Promise<Service | null> {
  if (has(microversion, 'hosts.by-uuid')) {
    if (whyNotUuid(id) !== null) throw new ApiFault(400, `Invalid uuid ${id}`);
    return isUuid(id) ? store.service(id) : null;
  }
  if (!/^-?\d+$/.test(id)) throw new ApiFault(400, 'Invalid input received: id must be an integer');
  const [service, another] = (await allServices(store)).filter((each) => numberOf(each.id) === Number(id));
  if (another !== undefined) throw new ApiFault(400, `Service id ${id} refers to multiple services.`);
  return service ?? null;
}
