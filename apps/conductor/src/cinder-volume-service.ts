import type { CinderClient } from '@novella/cinder';
import { type Clock, gib, type GiB, NovellaError, type ProjectId, seconds, type VolumeId } from '@novella/core';
import { luksSecret } from './volume-encryption.js';
import type { VolumeService } from './volume-service.js';

const PAGE = 1000;

/**
 * The volume service on Cinder. `clientOf` answers a client that acts in a project with the service's credentials; null
 * stands for the service's own project, from which all projects' volumes can be listed. `fixedKey`: castellan's fixed_key,
 * hexadecimal, with which Cinder encrypts where it has no other key manager.
 */
export function cinderVolumeService(
  clientOf: (project: ProjectId | null) => CinderClient,
  fixedKey: string | null = null,
): VolumeService {
  return {
    async volume(project, volume) {
      const found = await clientOf(project).getVolume(volume);
      return { size: found.size, status: found.status, extendingTo: extendingTo(found) };
    },

    async attachments(project, volume, server) {
      return (await clientOf(project).findAttachments(volume, server)).map(({ id }) => id);
    },

    connectAttachment(project, attachment, connector, device) {
      const host = connector['host'];
      if (typeof host !== 'string') throw new NovellaError('internal', 'a host reported no connector properties');
      return clientOf(project).updateAttachment(attachment, { ...connector, host, mountpoint: device });
    },

    async connection(project, attachment) {
      const found = await clientOf(project).getAttachment(attachment);
      const connection = found?.connection ?? null;
      return connection === null ? null : { connection, secret: found?.secret ?? null };
    },

    async encryption(project, volume) {
      return luksSecret(volume, await clientOf(project).getEncryption(volume), fixedKey);
    },

    completeAttachment: (project, attachment) => clientOf(project).completeAttachment(attachment),
    deleteAttachment: (project, attachment) => clientOf(project).deleteAttachment(attachment),
    deleteVolume: (project, volume) => clientOf(project).deleteVolume(volume),

    async beginDetaching(project, volume) {
      const client = clientOf(project);
      try {
        await client.beginDetaching(volume);
      } catch (error) {
        // Cinder refuses what is detaching as it does any other state; it is so because we asked before.
        const refused = error instanceof NovellaError && error.code === 'cinder-refused';
        if (!refused || (await client.getVolume(volume)).status !== 'detaching') throw error;
      }
    },

    async rollDetaching(project, volume) {
      try {
        await clientOf(project).rollDetaching(volume);
      } catch (error) {
        if (!(error instanceof NovellaError) || error.code !== 'volume-not-found') throw error;
      }
    },

    async completeExtend(project, volume, size, end) {
      const client = clientOf(project);
      if (extendingTo(await client.getVolume(volume)) === size) await client.completeExtend(volume, end === 'failed');
    },

    async *volumesThatAre(status) {
      let marker: VolumeId | null = null;
      do {
        const query = { limit: PAGE, status, allProjects: true, ...(marker === null ? {} : { marker }) };
        const page: Awaited<ReturnType<CinderClient['listVolumesDetail']>> =
          await clientOf(null).listVolumesDetail(query);
        yield page.volumes;
        marker = page.next;
      } while (marker !== null);
    },
  };
}

/** Metadata is text that anybody may have written. */
function extendingTo({ status, metadata }: Awaited<ReturnType<CinderClient['getVolume']>>): GiB | null {
  const text = status === 'extending' ? metadata['extend_new_size'] : undefined;
  return text !== undefined && /^[1-9]\d{0,6}$/.test(text) ? gib(Number(text)) : null;
}

const LEAST_BETWEEN_RETURNS = seconds(10);

/**
 * The same service; `onReturn` is called at the first good answer after one that said that Cinder is away. Not more often
 * than every 10 s: where Cinder serves one volume and not another, those who wait would wake each other for ever.
 */
export function noticingReturn(service: VolumeService, clock: Clock, onReturn: () => void): VolumeService {
  let away = false;
  let noticed = Number.NEGATIVE_INFINITY;
  return eachCall(service, async (call) => {
    try {
      const value = await call();
      if (away && clock.monotonic() - noticed >= LEAST_BETWEEN_RETURNS) {
        away = false;
        noticed = clock.monotonic();
        onReturn();
      }
      return value;
    } catch (error) {
      if (isAway(error)) away = true;
      throw error;
    }
  });
}

/**
 * The same service for a turn that holds a lease: nothing is begun once that may have run out. Cinder knows no leases: a
 * conductor that stood still in between would, say, connect anew what another has completed since.
 */
export const underLease = (service: VolumeService, holds: () => boolean): VolumeService =>
  eachCall(service, (call) => {
    if (holds()) return call();
    const message = 'the operation may be in the hands of another conductor by now';
    return Promise.reject(new NovellaError('command-stale', message, {}, { grade: 'unsure' }));
  });

/** `around` is given each single call; listing is left alone. */
function eachCall(service: VolumeService, around: <T>(call: () => Promise<T>) => Promise<T>): VolumeService {
  return {
    volume: (...args) => around(() => service.volume(...args)),
    attachments: (...args) => around(() => service.attachments(...args)),
    connectAttachment: (...args) => around(() => service.connectAttachment(...args)),
    connection: (...args) => around(() => service.connection(...args)),
    completeAttachment: (...args) => around(() => service.completeAttachment(...args)),
    deleteAttachment: (...args) => around(() => service.deleteAttachment(...args)),
    beginDetaching: (...args) => around(() => service.beginDetaching(...args)),
    rollDetaching: (...args) => around(() => service.rollDetaching(...args)),
    completeExtend: (...args) => around(() => service.completeExtend(...args)),
    encryption: (...args) => around(() => service.encryption(...args)),
    deleteVolume: (...args) => around(() => service.deleteVolume(...args)),
    volumesThatAre: (status) => service.volumesThatAre(status),
  };
}

const isAway = (error: unknown): boolean =>
  error instanceof NovellaError &&
  ['cinder-unreachable', 'cinder-answer-invalid', 'cinder-unauthorized'].includes(error.code);
