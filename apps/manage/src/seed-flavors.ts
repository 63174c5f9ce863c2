import type { Flavor, FlavorStore } from '@novella/persistence';

/** The flavors that a fresh deployment starts with, by the names and sizes that clients know from DevStack. */
const SIZES: readonly (readonly [id: string, name: string, vcpus: number, memoryMib: number, rootGib: number])[] = [
  ['42', 'm1.nano', 1, 128, 0],
  ['84', 'm1.micro', 1, 256, 0],
  ['1', 'm1.tiny', 1, 512, 1],
  ['2', 'm1.small', 1, 2048, 20],
  ['3', 'm1.medium', 2, 4096, 40],
];

/** Only where there is none yet: what an operator has made or removed is left alone. Answers how many it made. */
export async function seedFlavors(store: Pick<FlavorStore, 'flavors' | 'createFlavor'>): Promise<number> {
  if ((await store.flavors()).length > 0) return 0;
  for (const [id, name, vcpus, memoryMib, rootGib] of SIZES) {
    const flavor: Flavor = {
      id,
      name,
      vcpus,
      memoryMib,
      rootGib,
      ephemeralGib: 0,
      swapMib: 0,
      rxtxFactor: 1,
      isPublic: true,
      disabled: false,
      description: null,
      extraSpecs: {},
    };
    await store.createFlavor(flavor);
  }
  return SIZES.length;
}
