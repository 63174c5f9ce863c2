import { describe, expect, it } from '@jest/globals';
import { type CinderClient } from '@novella/cinder';
import {
  type AttachmentId,
  type GiB,
  gib,
  type HostName,
  millis,
  minutes,
  type ProjectId,
  type ServerId,
  type VolumeId,
} from '@novella/core';
import type { AttachedVolume } from '@novella/persistence';
import { HOST, mapping, seededRandom, SERVER, service, virtualClock, VOLUME } from '@novella/testing';
import { cinderVolumeService } from '../cinder-volume-service.js';
import { Reconciler, type ReconcilerIo } from './reconciler.js';

const OTHER = '88888888-8888-4888-8888-888888888888' as VolumeId;
const attached = (volumeId: VolumeId): AttachedVolume => ({
  mapping: mapping({ volumeId }),
  host: HOST,
  projectId: 'p' as ProjectId,
  powerState: 'running',
  refused: null,
});
const silent = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined };

interface Opened {
  readonly serverId: ServerId;
  readonly volumeId: VolumeId;
}

/** A reconciler over attachments that all show 1 GiB, and a Cinder that lists these volumes as in use, one per page. */
function reconciler(
  cinder: readonly { id: VolumeId; size: GiB }[],
  { another = false, attaching = [] as readonly { id: VolumeId; size: GiB }[] } = {},
) {
  const opened: Opened[] = [];
  const asked: unknown[] = [];
  const completed: AttachmentId[] = [];
  let passes = 0;
  let hints = 0;
  const clock = virtualClock();
  const store = {
    exclusively: async (name: string, work: () => Promise<void>) => {
      expect(name).toBe('reconciler');
      passes += 1;
      if (!another) await work();
      return !another;
    },
    attachedVolumes: (after: unknown, _limit: number, host: HostName | null) =>
      Promise.resolve(after === null && (host === null || host === HOST) ? [attached(VOLUME), attached(OTHER)] : []),
    services: () => Promise.resolve([service()]),
    openSystemExtend: ({ serverId, volumeId }: Opened) => Promise.resolve(opened.push({ serverId, volumeId }) > 0),
  };
  const client = {
    listVolumesDetail: (query: { status: string; marker?: VolumeId }) => {
      if (query.status === 'attaching') return Promise.resolve({ volumes: attaching, next: null });
      asked.push(query);
      const at = cinder.findIndex(({ id }) => id === query.marker) + 1;
      const page = cinder.slice(at, at + 1);
      const next = at + 1 < cinder.length ? (page[0]?.id ?? null) : null;
      return Promise.resolve({ volumes: page, next });
    },
    completeAttachment: (id: AttachmentId) => Promise.resolve(void completed.push(id)),
  } as unknown as CinderClient;
  const volumes = cinderVolumeService(() => client);
  const io = { store, volumes, clock, random: seededRandom(1), log: silent, hint: () => (hints += 1) };
  const made = new Reconciler(io as unknown as ReconcilerIo);
  return { made, opened, asked, completed, clock, passes: () => passes, hints: () => hints };
}

describe('a pass of the reconciler', () => {
  it('opens an extend where Cinder says more than the guest sees, and nowhere else (rule 3.10a)', async () => {
    const { made, opened, hints } = reconciler([
      { id: OTHER, size: gib(1) },
      { id: VOLUME, size: gib(2) },
    ]);
    expect(await made.reconcile()).toBe(1);
    expect(opened).toEqual([{ serverId: SERVER, volumeId: VOLUME }]);
    expect(hints()).toBe(1);
  });

  it("reads all projects' volumes that are in use, page after page (rule 3.10c)", async () => {
    const { made, asked } = reconciler([
      { id: OTHER, size: gib(1) },
      { id: VOLUME, size: gib(1) },
    ]);
    await made.reconcile();
    expect(asked).toMatchObject([
      { status: 'in-use', allProjects: true },
      { status: 'in-use', marker: OTHER },
    ]);
  });

  it('leaves out what Cinder does not list (rule 3.10c)', async () => {
    const { made, opened } = reconciler([{ id: OTHER, size: gib(1) }]);
    expect(await made.reconcile()).toBe(0);
    expect(opened).toEqual([]);
  });

  it('completes what is attached and yet attaching at Cinder, where it cannot be extended nor detached', async () => {
    const nobodys = '77777777-8888-4888-8888-888888888888' as VolumeId;
    const attaching = [VOLUME, nobodys].map((id) => ({ id, size: gib(1) }));
    const { made, completed } = reconciler([], { attaching });
    await made.reconcile();
    expect(completed).toEqual([mapping().attachmentId]);
  });

  it('is left to the conductor that is at it already (rule 3.10b)', async () => {
    const { made, opened, asked } = reconciler([{ id: VOLUME, size: gib(2) }], { another: true });
    expect(await made.reconcile()).toBe(0);
    expect([opened, asked]).toEqual([[], []]);
  });

  it('comes every ten minutes, a tenth earlier or later (rule 3.10a)', async () => {
    const { made, clock, passes } = reconciler([]);
    made.start();
    await clock.advance(millis(minutes(9) - 1));
    expect(passes()).toBe(0);
    await clock.advance(millis(minutes(51) + 1));
    expect(passes()).toBeGreaterThanOrEqual(5);
    expect(passes()).toBeLessThanOrEqual(6);
    await made.stop();
  });
});
