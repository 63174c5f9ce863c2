import type { HostName } from '@novella/core';
import type { Capacity, Instance, Service } from '@novella/persistence';

/** What a server takes of its host: the flavor's processors and memory, and its local disks. */
export const roomNeeded = ({ flavor }: Pick<Instance, 'flavor'>): Capacity => ({
  vcpus: flavor.vcpus,
  memoryMib: flavor.memoryMib,
  diskGib: flavor.rootGib + flavor.ephemeralGib + Math.ceil(flavor.swapMib / 1024),
});

/**
 * Hosts that are up, enabled and have room, the one with the most free memory first, as Nova's RAM weigher spreads
 * servers (nova:nova/scheduler/weights/ram.py); ties by name, so that the order is the same everywhere.
 */
export function chooseHosts(services: readonly Service[], need: Capacity): HostName[] {
  return services
    .filter((service) => service.up && !service.disabled && hasRoom(service, need))
    .sort((a, b) => freeMemory(b) - freeMemory(a) || a.host.localeCompare(b.host))
    .map(({ host }) => host);
}

const hasRoom = ({ capacity, used }: Service, need: Capacity): boolean =>
  used.vcpus + need.vcpus <= capacity.vcpus &&
  used.memoryMib + need.memoryMib <= capacity.memoryMib &&
  used.diskGib + need.diskGib <= capacity.diskGib;

const freeMemory = ({ capacity, used }: Service): number => capacity.memoryMib - used.memoryMib;
