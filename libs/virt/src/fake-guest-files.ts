import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Bytes, POWER_STATES, type ServerId, type VolumeId } from '@novella/core';
import { z } from 'zod';
import type { FakeGuest, GuestKeep } from './fake-guests.js';
import { byteCount, guestDisk, guestSpec } from './fake-wire.js';

const END = '.guest.json';

const kept = z.object({
  spec: guestSpec,
  disks: z.array(guestDisk),
  /** By volume. */
  guestBytes: z.record(z.string(), byteCount),
  /** Those that were kept before there was this know what they are shown. */
  knownBytes: z.record(z.string(), byteCount).optional(),
  powerState: z.enum(POWER_STATES),
  run: z.number().nullable(),
  lastRun: z.number(),
  isDeaf: z.boolean(),
});

/**
 * A fake hypervisor's guests in a folder of its own, a file for each. They go on where they were when the hypervisor is
 * there again: as if it had slept. Written before anybody is told of a change, and safe against the death of the process,
 * not of the machine.
 */
export class FakeGuestFiles implements GuestKeep {
  constructor(private readonly folder: string) {
    mkdirSync(folder, { recursive: true });
  }

  load(): FakeGuest[] {
    const names = readdirSync(this.folder).filter((name) => name.endsWith(END));
    return names.map((name) => {
      const { disks, guestBytes, knownBytes, ...rest } = kept.parse(
        JSON.parse(readFileSync(join(this.folder, name), 'utf8')),
      );
      return {
        ...rest,
        disks: new Map(disks.map((disk) => [disk.volume, disk])),
        guestBytes: byVolume(guestBytes),
        knownBytes: byVolume(knownBytes ?? guestBytes),
      };
    });
  }

  put({ disks, guestBytes, knownBytes, ...rest }: FakeGuest): void {
    const written: z.input<typeof kept> = {
      ...rest,
      spec: { ...rest.spec, disks: [...rest.spec.disks] },
      disks: [...disks.values()],
      guestBytes: Object.fromEntries(guestBytes),
      knownBytes: Object.fromEntries(knownBytes),
    };
    const path = this.pathOf(rest.spec.server);
    writeFileSync(`${path}.new`, JSON.stringify(written), { mode: 0o600 });
    renameSync(`${path}.new`, path);
  }

  remove(server: ServerId): void {
    rmSync(this.pathOf(server), { force: true });
  }

  private readonly pathOf = (server: ServerId): string => join(this.folder, `${server}${END}`);
}

const byVolume = (sizes: Readonly<Record<string, Bytes>>): Map<VolumeId, Bytes> =>
  new Map(Object.entries(sizes).map(([volume, size]) => [volume as VolumeId, size]));
