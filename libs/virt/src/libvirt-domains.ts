import { type Bytes, bytesFromBigint, NovellaError, type PowerState, type ServerId } from '@novella/core';
import { type DomainRef, type LibvirtClient } from '@novella/libvirt';
import { type DomainDescription, readDomain } from './domain-read.js';
import type { Guest } from './driver.js';
import { isLibvirtError } from './libvirt-faults.js';
import { hasLiveDisks, isBeingSaved, isOff, powerStateOf } from './power-state.js';

/** Flags of the XML: `current` is the running guest's, or the definition of one that is off. */
export const XML = { current: 0, inactive: 2 } as const;

export interface FoundDomain extends DomainDescription {
  readonly powerState: PowerState;
  readonly beingSaved: boolean;
}

/** A guest may change while its parts are read; then it is read again, at most so often. */
const READ_ATTEMPTS = 3;
const ALL_DOMAINS = { needResults: 1, flags: 0 } as const;

/** libvirt's QEMU driver goes by the uuid alone, so no look-up has to come before a call. */
export const domainRef = (server: ServerId): DomainRef => ({ name: server, uuid: server, id: -1 });

const readKey = (uuid: string, flags: number): string => `${uuid} ${flags}`;

/** Reading domains. Everything but `find` and `guest` passes over those that are not ours. */
export class LibvirtDomains {
  /**
   * By uuid and flags. Most reads bring the very text that the last one brought, and parsing it costs more than asking
   * for it. A domain's entries go when it is undefined.
   */
  private readonly lastRead = new Map<string, { readonly xml: string; readonly description: DomainDescription }>();

  constructor(private readonly client: LibvirtClient) {}

  /** Null when there is none. Error domain-not-ours. */
  async find(server: ServerId, xmlFlags: number = XML.current): Promise<FoundDomain | null> {
    const found = await this.read(domainRef(server), xmlFlags);
    if (found && found.server !== server) {
      throw new NovellaError('domain-not-ours', 'the domain of that uuid is not one of ours', { server });
    }
    return found;
  }

  async guest(server: ServerId): Promise<Guest | null> {
    return this.readAgainIfChanged(async () => {
      const found = await this.find(server);
      return found && this.asGuest(server, found);
    });
  }

  async guests(): Promise<Guest[]> {
    const { domains } = await this.client.call('connectListAllDomains', ALL_DOMAINS);
    const guests = await Promise.all(
      domains.map((domain) =>
        this.readAgainIfChanged(async () => {
          const found = await this.read(domain, XML.current);
          return found?.server ? this.asGuest(found.server, found) : null;
        }),
      ),
    );
    return guests.filter((guest) => guest !== null);
  }

  /** Whether an event's domain is ours; one that has gone since is, when it was seen before. */
  async isOurs(server: ServerId): Promise<boolean> {
    const last = this.lastRead.get(readKey(server, XML.current));
    if (last) return last.description.server === server;
    return (await this.read(domainRef(server), XML.current))?.server === server;
  }

  forget(uuid: string): void {
    for (const flags of Object.values(XML)) this.lastRead.delete(readKey(uuid, flags));
  }

  async uuidOfName(name: string): Promise<string | null> {
    try {
      return (await this.client.call('domainLookupByName', { name })).domain.uuid;
    } catch (error) {
      if (isLibvirtError(error, 'noDomain')) return null;
      throw error;
    }
  }

  /**
   * What the guest sees of the disk. libvirt also tells a `physical` size, which is the length of a file only until the
   * guest has written to it, and from then on how much of it is allocated.
   */
  async shownSize(server: ServerId, device: string): Promise<Bytes> {
    const info = await this.client.call('domainGetBlockInfo', { domain: domainRef(server), path: device, flags: 0 });
    return bytesFromBigint(info.capacity);
  }

  /** State and XML are two answers: a guest that was started between them is read again. */
  private async read(domain: DomainRef, xmlFlags: number): Promise<FoundDomain | null> {
    for (let attempt = 1; ; attempt += 1) {
      const found = await this.readOnce(domain, xmlFlags);
      const started = xmlFlags === XML.current && found?.id === null && hasLiveDisks(found.powerState);
      if (!started || attempt >= READ_ATTEMPTS) return found;
    }
  }

  private async readOnce(domain: DomainRef, xmlFlags: number): Promise<FoundDomain | null> {
    try {
      const [{ xml }, state] = await Promise.all([
        this.client.call('domainGetXmlDesc', { domain, flags: xmlFlags }),
        this.client.call('domainGetState', { domain, flags: 0 }),
      ]);
      const description = this.parse(readKey(domain.uuid, xmlFlags), xml);
      const powerState = powerStateOf(state.state);
      const saved = description.id === null && isOff(powerState) && (await this.hasSavedMemory(domain));
      return { ...description, powerState: saved ? 'saved' : powerState, beingSaved: isBeingSaved(state) };
    } catch (error) {
      if (isLibvirtError(error, 'noDomain')) return null;
      throw error;
    }
  }

  /** libvirt forgets why a guest is off when it is started anew, but not what it has saved of it. */
  private async hasSavedMemory(domain: DomainRef): Promise<boolean> {
    return (await this.client.call('domainHasManagedSaveImage', { domain, flags: 0 })).result === 1;
  }

  private parse(key: string, xml: string): DomainDescription {
    const last = this.lastRead.get(key);
    if (last?.xml === xml) return last.description;
    const description = readDomain(xml);
    this.lastRead.set(key, { xml, description });
    return description;
  }

  private async asGuest(server: ServerId, found: FoundDomain): Promise<Guest> {
    const live = hasLiveDisks(found.powerState);
    const disks = found.volumeDisks.map(async ({ volume, device, path }) => {
      const guestBytes = live ? await this.shownSize(server, device) : null;
      return { volume, device, path, guestBytes };
    });
    const run = isOff(found.powerState) ? null : found.id;
    return { server, powerState: found.powerState, run, disks: await Promise.all(disks) };
  }

  private async readAgainIfChanged<T>(read: () => Promise<T>): Promise<T> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await read();
      } catch (error) {
        // The disk or the process went away between two of the calls.
        const changed = isLibvirtError(error, 'invalidArg', 'operationInvalid', 'noDomain', 'operationFailed');
        if (!changed || attempt >= READ_ATTEMPTS) throw error;
      }
    }
  }
}
