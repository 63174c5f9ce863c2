import type { BlockDeviceMapping, Instance } from './records.js';
import type { NewBlockDeviceMapping } from './api-store.js';

/** Names of disks in a guest (nova:nova/virt/libvirt/blockinfo.py): `/dev/vdb` on virtio, `/dev/sdb` on scsi. */
type Bus = BlockDeviceMapping['bus'];
const PREFIX = { virtio: '/dev/vd', scsi: '/dev/sd' } as const satisfies Record<Bus, string>;

/** 0 -> `a`, 25 -> `z`, 26 -> `aa`. */
function letters(index: number): string {
  const last = String.fromCharCode(97 + (index % 26));
  return index < 26 ? last : letters(Math.floor(index / 26) - 1) + last;
}

export function firstFreeDevice(bus: Bus, taken: ReadonlySet<string>): string {
  for (let index = 0; index < taken.size; index += 1) {
    const device = PREFIX[bus] + letters(index);
    if (!taken.has(device)) return device;
  }
  return PREFIX[bus] + letters(taken.size);
}

/** The order of the names: vdb before vdaa. */
export const byDevice = (a: { device: string }, b: { device: string }): number =>
  a.device.length - b.device.length || (a.device < b.device ? -1 : a.device > b.device ? 1 : 0);

/** What is taken on a server besides its mappings: a server that does not boot from a volume keeps the first name for its own disk. */
export function rootDevices(
  instance: Pick<Instance, 'diskBus'>,
  mappings: readonly { bootIndex: number | null }[],
): string[] {
  return mappings.some((mapping) => mapping.bootIndex === 0) ? [] : [`${PREFIX[instance.diskBus]}a`];
}

/**
 * The device of each mapping of a new server, in the order given. Names that were asked for come first, then the boot
 * volume, then the others; a name that is taken gives way to the first free one, as Nova treats such a name as a wish.
 */
export function assignDevices(
  instance: Pick<Instance, 'diskBus'>,
  mappings: readonly Pick<NewBlockDeviceMapping, 'bus' | 'device' | 'bootIndex'>[],
): string[] {
  const taken = new Set(rootDevices(instance, mappings));
  const devices = mappings.map(({ device }) => {
    if (device === null || taken.has(device)) return null;
    taken.add(device);
    return device;
  });
  const free = (bus: Bus) => {
    const device = firstFreeDevice(bus, taken);
    taken.add(device);
    return device;
  };
  const boot = mappings.findIndex((mapping) => mapping.bootIndex === 0);
  const bootDevice = boot === -1 ? null : (devices[boot] ?? free(mappings[boot]?.bus ?? instance.diskBus));
  return mappings.map(({ bus }, index) => (index === boot ? bootDevice : devices[index]) ?? free(bus));
}
