import type { FlavorStore, ListedFlavor } from '@novella/persistence';
import { ApiFault } from '../http/fault.js';
import type { RequestContext } from '../http/request-context.js';

/** Public ones, those that the project has access to, and all for administrators. */
export const isVisible = (flavor: ListedFlavor, context: RequestContext): boolean =>
  flavor.isPublic || context.isAdmin || hasAccess(flavor, context);

export const hasAccess = ({ projects }: ListedFlavor, { projectId }: RequestContext): boolean =>
  projectId !== null && projects.includes(projectId);

/** 404 also for a flavor that the caller may not know of. */
export async function visibleFlavor(
  store: Pick<FlavorStore, 'flavor'>,
  context: RequestContext,
  id: string,
): Promise<ListedFlavor> {
  const flavor = await store.flavor(id);
  if (flavor === null || !isVisible(flavor, context)) throw noSuchFlavor(id);
  return flavor;
}

export const noSuchFlavor = (id: string): ApiFault => new ApiFault(404, `Flavor ${id} could not be found.`);
