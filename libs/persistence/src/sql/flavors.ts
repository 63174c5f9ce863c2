import type { FlavorChange, FlavorStore, ListedFlavor } from '../flavor-store.js';
import type { Flavor } from '../records.js';
import { storable, storableText } from '../text.js';
import type { Database } from './database.js';
import type { FlavorRow } from './entities/flavor.entity.js';

export function sqlFlavors(db: Database): FlavorStore {
  return {
    flavors: async () => (await db.query<FlavorRow>(`select * from flavor order by number`)).map(toFlavor),
    flavor: async (id) => {
      const [row] = await db.query<FlavorRow>(`select * from flavor where id = $1`, [storableText(id)]);
      return row === undefined ? null : toFlavor(row);
    },
    createFlavor: (flavor) => createFlavor(db, storable(flavor)),
    updateFlavor: (id, change) => updateFlavor(db, storableText(id), storable(change)),
    deleteFlavor: async (id) => {
      const rows = await db.query(`delete from flavor where id = $1 returning id`, [storableText(id)]);
      return rows.length > 0 ? 'deleted' : 'not-found';
    },
  };
}

const CREATE = `
  insert into flavor (id, name, vcpus, memory_mib, root_gib, ephemeral_gib, swap_mib, rxtx_factor, is_public, disabled,
    description, extra_specs)
  values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
  on conflict do nothing
  returning id`;

async function createFlavor(db: Database, flavor: Flavor): Promise<'created' | 'id-exists' | 'name-exists'> {
  const rows = await db.query(CREATE, [
    flavor.id,
    flavor.name,
    flavor.vcpus,
    flavor.memoryMib,
    flavor.rootGib,
    flavor.ephemeralGib,
    flavor.swapMib,
    flavor.rxtxFactor,
    flavor.isPublic,
    flavor.disabled,
    flavor.description,
    JSON.stringify(flavor.extraSpecs),
  ]);
  if (rows.length > 0) return 'created';
  const same = await db.query(`select from flavor where id = $1`, [flavor.id]);
  return same.length > 0 ? 'id-exists' : 'name-exists';
}

const UPDATE = `
  update flavor set
    description = case when $2 then $3 else description end,
    extra_specs = (extra_specs || $4::jsonb) - $5::text[],
    projects = (projects - $7::text[]) || case
      when $6::text is null or projects ? $6 then '[]'
      else jsonb_build_array($6::text) end
  where id = $1
  returning *`;

async function updateFlavor(db: Database, id: string, change: FlavorChange): Promise<ListedFlavor | null> {
  const [row] = await db.query<FlavorRow>(UPDATE, [
    id,
    change.description !== undefined,
    change.description ?? null,
    JSON.stringify(change.extraSpecs ?? {}),
    change.removeExtraSpec === undefined ? [] : [change.removeExtraSpec],
    change.addProject ?? null,
    change.removeProject === undefined ? [] : [change.removeProject],
  ]);
  return row === undefined ? null : toFlavor(row);
}

const toFlavor = (row: FlavorRow): ListedFlavor => ({
  id: row.id,
  name: row.name,
  vcpus: row.vcpus,
  memoryMib: row.memory_mib,
  rootGib: row.root_gib,
  ephemeralGib: row.ephemeral_gib,
  swapMib: row.swap_mib,
  rxtxFactor: row.rxtx_factor,
  isPublic: row.is_public,
  disabled: row.disabled,
  description: row.description,
  extraSpecs: row.extra_specs,
  projects: row.projects,
});
