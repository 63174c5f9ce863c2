import type { ServerId, VolumeId } from '@novella/core';
import { type LibvirtClient, SECRET_USAGE, type SecretRef } from '@novella/libvirt';
import { keyMissing, keysFor } from './disk-rules.js';
import type { VolumeDisk } from './domain-read.js';
import type { SecretName, SecretNames } from './domain-xml.js';
import type { GuestDisk, VolumeKey } from './driver.js';
import { isLibvirtError } from './libvirt-faults.js';

const ALL_SECRETS = { needResults: 1, flags: 0 } as const;

/**
 * What QEMU opens disks with, as libvirt's secrets. A Ceph user's that an operator has given libvirt, under the uuid that Cinder
 * names, is used as it is. Else it is our own, for one disk: ephemeral (in libvirt's memory alone) and private (it gives
 * the value to QEMU and to nobody else), called `novella <server> <volume> <purpose>`, which goes with the disk.
 * Nova's are kept on disk, and one uuid stands for all guests of a host: nova:virt/libvirt/host.py create_secret.
 */
export class LibvirtSecrets {
  constructor(private readonly client: LibvirtClient) {}

  /** Sees that libvirt has what the disks need, and answers by which name it has it. Error volume-key-missing. */
  async provide(server: ServerId, disks: readonly GuestDisk[], keys: readonly VolumeKey[]): Promise<SecretNames> {
    const names = new Map<VolumeId, Partial<Record<VolumeKey['purpose'], SecretName>>>();
    for (const disk of disks) {
      for (const purpose of keysFor(disk)) {
        const name = await this.name(server, disk, purpose, keys);
        names.set(disk.volume, { ...names.get(disk.volume), [purpose]: name });
      }
    }
    return names;
  }

  /** Before a start: libvirt forgets ephemeral secrets when it ends. Those that the definition names, and no other. */
  async renew(server: ServerId, disks: readonly VolumeDisk[], keys: readonly VolumeKey[]): Promise<void> {
    for (const key of keys) {
      const disk = disks.find(({ volume }) => volume === key.volume);
      if (disk?.secretUsages.includes(usageOf(server, key)) === true) await this.define(server, key);
    }
  }

  /** All of ours for the server, or for one volume of it. */
  async remove(server: ServerId, volume: VolumeId | null = null): Promise<void> {
    const ours = (await this.list()).filter(({ usageId }) => usageId.startsWith(prefix(server, volume)));
    for (const secret of ours) {
      await this.client.call('secretUndefine', { secret }).catch((error: unknown) => {
        if (!isLibvirtError(error, 'noSecret')) throw error;
      });
    }
  }

  /** Where no part of libvirt keeps secrets, or that part does not run, there are no ephemeral ones. */
  private async list(): Promise<readonly SecretRef[]> {
    try {
      return (await this.client.call('connectListAllSecrets', ALL_SECRETS)).secrets;
    } catch (error) {
      if (isLibvirtError(error, 'noSupport', 'systemError')) return [];
      throw error;
    }
  }

  private async name(
    server: ServerId,
    disk: GuestDisk,
    purpose: VolumeKey['purpose'],
    keys: readonly VolumeKey[],
  ): Promise<SecretName> {
    const operators = purpose === 'cephx' && disk.source.kind === 'network' ? disk.source.auth?.secretUuid : null;
    if (typeof operators === 'string' && (await this.find(operators)) !== null) return { uuid: operators };
    const key = keys.find((one) => one.volume === disk.volume && one.purpose === purpose);
    if (key === undefined) throw keyMissing(server, disk);
    return { usage: await this.define(server, key) };
  }

  private async find(uuid: string): Promise<SecretRef | null> {
    return this.client.call('secretLookupByUuid', { uuid }).then(({ secret }) => secret, noneWithoutSecret);
  }

  private async define(server: ServerId, key: VolumeKey): Promise<string> {
    const usageId = usageOf(server, key);
    const found = await this.client
      .call('secretLookupByUsage', { usageType: SECRET_USAGE[USAGE[key.purpose].type], usageId })
      .then(({ secret }) => secret, noneWithoutSecret);
    const secret =
      found ?? (await this.client.call('secretDefineXml', { xml: secretXml(key.purpose, usageId), flags: 0 })).secret;
    await this.client.call('secretSetValue', { secret, value: key.value, flags: 0 });
    return usageId;
  }
}

/** What libvirt calls the use of a secret, and the element that names the user. */
const USAGE = {
  cephx: { type: 'ceph', element: 'name' },
  luks: { type: 'volume', element: 'volume' },
} as const satisfies Record<VolumeKey['purpose'], unknown>;

/** Ids need no escaping. */
function secretXml(purpose: VolumeKey['purpose'], usageId: string): string {
  const { type, element } = USAGE[purpose];
  const usage = `<usage type='${type}'><${element}>${usageId}</${element}></usage>`;
  return `<secret ephemeral='yes' private='yes'>${usage}</secret>`;
}

const prefix = (server: ServerId, volume: VolumeId | null): string =>
  volume === null ? `novella ${server} ` : `novella ${server} ${volume} `;

const usageOf = (server: ServerId, { volume, purpose }: VolumeKey): string => `${prefix(server, volume)}${purpose}`;

function noneWithoutSecret(error: unknown): null {
  if (isLibvirtError(error, 'noSecret')) return null;
  throw error;
}
