import type { ProjectId } from '@novella/core';
import type { Flavor } from './records.js';

/** A flavor as it is listed: with the projects that may use it although it is not public. */
export interface ListedFlavor extends Flavor {
  readonly projects: readonly ProjectId[];
}

/** What changes of a flavor; what is left out stays. Servers keep the flavor that they were made with. */
export interface FlavorChange {
  readonly description?: string | null;
  /** Added, or put in the place of those with the same keys. */
  readonly extraSpecs?: Readonly<Record<string, string>>;
  readonly removeExtraSpec?: string;
  readonly addProject?: ProjectId;
  readonly removeProject?: ProjectId;
}

export interface FlavorStore {
  /** In the order in which they were made. */
  flavors(): Promise<ListedFlavor[]>;
  flavor(id: string): Promise<ListedFlavor | null>;
  /** No two have the same id or the same name. Nobody has access yet to one that is not public. */
  createFlavor(flavor: Flavor): Promise<'created' | 'id-exists' | 'name-exists'>;
  /** Answers the flavor as it is then; null when there is none. */
  updateFlavor(id: string, change: FlavorChange): Promise<ListedFlavor | null>;
  deleteFlavor(id: string): Promise<'deleted' | 'not-found'>;
}
