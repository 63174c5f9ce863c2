import type { FlavorChange, FlavorStore, ListedFlavor } from '../flavor-store.js';
import type { Flavor } from '../records.js';
import { storable, storableText } from '../text.js';
import type { Tables } from './tables.js';

export function memoryFlavors(db: Tables): FlavorStore {
  return {
    flavors: () => db.atomically(() => [...db.flavors.values()]),
    flavor: (id) => db.atomically(() => db.flavors.get(storableText(id)) ?? null),
    createFlavor: (flavor) => db.atomically(() => createFlavor(db, storable(flavor))),
    updateFlavor: (id, change) => db.atomically(() => updateFlavor(db, storableText(id), storable(change))),
    deleteFlavor: (id) => db.atomically(() => (db.flavors.delete(storableText(id)) ? 'deleted' : 'not-found')),
  };
}

function createFlavor(db: Tables, flavor: Flavor): 'created' | 'id-exists' | 'name-exists' {
  if (db.flavors.has(flavor.id)) return 'id-exists';
  if ([...db.flavors.values()].some(({ name }) => name === flavor.name)) return 'name-exists';
  db.flavors.set(flavor.id, { ...flavor, projects: [] });
  return 'created';
}

function updateFlavor(db: Tables, id: string, change: FlavorChange): ListedFlavor | null {
  const before = db.flavors.get(id);
  if (before === undefined) return null;
  const { addProject, removeProject, removeExtraSpec } = change;
  const specs = Object.entries({ ...before.extraSpecs, ...change.extraSpecs }).filter(
    ([key]) => key !== removeExtraSpec,
  );
  const projects = before.projects.filter((project) => project !== removeProject);
  const adds = addProject !== undefined && !before.projects.includes(addProject);
  const row = {
    ...before,
    description: change.description === undefined ? before.description : change.description,
    extraSpecs: Object.fromEntries(specs),
    projects: adds ? [...projects, addProject] : projects,
  };
  db.flavors.set(id, row);
  return row;
}
