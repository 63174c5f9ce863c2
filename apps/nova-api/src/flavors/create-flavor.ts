import type { Random } from '@novella/core';
import type { FlavorStore, ListedFlavor } from '@novella/persistence';
import { ApiFault } from '../http/fault.js';
import { isTrue } from '../http/rules.js';
import type { CreateFlavorBody } from './flavors.dto.js';

/** POST /flavors. Mirrors nova:nova/compute/flavors.py create. Throws 409 for an id or a name that is taken. */
export async function createFlavor(
  io: { readonly store: Pick<FlavorStore, 'createFlavor'>; readonly random: Random },
  { flavor: asked }: CreateFlavorBody,
): Promise<ListedFlavor> {
  const given = asked.id ?? '';
  const flavor: ListedFlavor = {
    // 0 is no id either, as in Nova.
    id: given === '' || given === 0 ? io.random.uuid() : String(given),
    name: asked.name,
    vcpus: Number(asked.vcpus),
    memoryMib: Number(asked.ram),
    rootGib: Number(asked.disk),
    ephemeralGib: Number(asked['OS-FLV-EXT-DATA:ephemeral'] ?? 0),
    swapMib: Number(asked.swap ?? 0),
    rxtxFactor: Number(asked.rxtx_factor ?? 1),
    isPublic: isTrue(asked['os-flavor-access:is_public'] ?? true),
    disabled: false,
    description: asked.description ?? null,
    extraSpecs: {},
    projects: [],
  };
  const { projects: _none, ...written } = flavor;
  switch (await io.store.createFlavor(written)) {
    case 'created':
      return flavor;
    case 'id-exists':
      throw new ApiFault(409, `Flavor with ID ${flavor.id} already exists.`);
    case 'name-exists':
      throw new ApiFault(409, `Flavor with name ${flavor.name} already exists.`);
  }
}
