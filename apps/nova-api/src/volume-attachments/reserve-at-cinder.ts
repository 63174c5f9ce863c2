import {
  type AttachmentId,
  type ErrorCode,
  type Log,
  NovellaError,
  type OperationId,
  type ServerId,
} from '@novella/core';
import type { BlockDeviceMapping } from '@novella/persistence';
import { ApiFault } from '../http/fault.js';
import type { NovaApiConfig } from '../nova-api.config.js';
import type { NovaApiStore } from '../ports.js';
import type { VolumeApi, VolumeUser } from '../volume-api.js';

/**
 * The part of attach and create that only the user's own token can do: Cinder's attachments for mappings that the store
 * holds reserved. When Cinder refuses, everything is undone and the refusal thrown. When it is not known what Cinder did,
 * nothing is undone here: the engine takes the operation over after `confirmWithin` and looks at Cinder itself.
 */
export interface ReserveIo {
  readonly store: NovaApiStore;
  readonly cinder: VolumeApi;
  readonly config: NovaApiConfig;
  readonly hint: () => void;
  readonly log: Log;
}

export interface Reservation {
  readonly serverId: ServerId;
  readonly operation: OperationId;
  readonly mappings: readonly BlockDeviceMapping[];
  readonly user: VolumeUser;
}
type Made = { mapping: BlockDeviceMapping['id']; attachmentId: AttachmentId };

/** Errors after which Cinder has reserved nothing for the call that failed. */
const REFUSALS: readonly ErrorCode[] = ['cinder-refused', 'cinder-unauthorized', 'volume-not-found'];

export async function reserveAtCinder(io: ReserveIo, reservation: Reservation): Promise<void> {
  const made: Made[] = [];
  try {
    for (const { id, volumeId } of reservation.mappings) {
      const attachmentId = await io.cinder.createAttachment(volumeId, reservation.serverId, reservation.user);
      made.push({ mapping: id, attachmentId });
    }
  } catch (error) {
    if (error instanceof NovellaError && REFUSALS.includes(error.code) && (await letGo(io, reservation, made))) {
      await io.store.abandonReservations(reservation.operation);
    }
    throw error;
  }
  if ((await io.store.confirmReservations(reservation.operation, made)) === 'gone') {
    // The engine, or a delete of the server, has undone the row already, perhaps before Cinder had these.
    await letGo(io, reservation, made);
    throw new ApiFault(503, 'The volume service took too long; what was begun is being undone.');
  }
}

/** Answers whether nothing of it is reserved any more; if not, the engine looks at Cinder when it takes the row over. */
async function letGo(io: ReserveIo, { operation, user }: Reservation, made: readonly Made[]): Promise<boolean> {
  try {
    for (const { attachmentId } of made) await io.cinder.deleteAttachment(attachmentId, user);
    return true;
  } catch (error) {
    io.log.warn('an attachment of a request that failed could not be deleted', { operation, error });
    return false;
  }
}
