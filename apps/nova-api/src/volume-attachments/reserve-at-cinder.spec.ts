import { describe, expect, it } from '@jest/globals';
import { type AttachmentId, type Log, NovellaError, type ProjectId, type RequestId, seconds } from '@novella/core';
import { MAPPING, mapping, OPERATION, SERVER, VOLUME } from '@novella/testing';
import type { VolumeUser } from '../volume-api.js';
import { type ReserveIo, reserveAtCinder } from './reserve-at-cinder.js';

const silent: Log = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined };
const ATTACHMENT = '88888888-8888-4888-8888-888888888888' as AttachmentId;
const USER: VolumeUser = {
  token: 'token',
  projectId: 'project' as ProjectId,
  requestId: 'req-00000000-0000-4000-8000-000000000001' as RequestId,
  globalRequestId: null,
};
const reservation = { serverId: SERVER, operation: OPERATION, mappings: [mapping({ attachmentId: null })], user: USER };

/** A Cinder that keeps what it reserves; a store whose operation the engine may have taken over. */
function world(confirmed: 'queued' | 'gone', deleteFails = false) {
  const reserved = new Set<AttachmentId>();
  const cinder = {
    createAttachment: () => {
      reserved.add(ATTACHMENT);
      return Promise.resolve(ATTACHMENT);
    },
    deleteAttachment: (id: AttachmentId) => {
      if (deleteFails) return Promise.reject(new NovellaError('cinder-unreachable', 'away'));
      reserved.delete(id);
      return Promise.resolve();
    },
  };
  const store = { confirmReservations: () => Promise.resolve(confirmed) };
  const io = { store, cinder, config: { confirmWithin: seconds(1) }, hint: () => undefined, log: silent };
  return { reserved, io: io as unknown as ReserveIo };
}

describe('a reservation at Cinder', () => {
  it('stays when it is confirmed', async () => {
    const { reserved, io } = world('queued');
    await reserveAtCinder(io, reservation);
    expect([...reserved]).toEqual([ATTACHMENT]);
    expect(reservation.mappings[0]?.id).toBe(MAPPING);
    expect(reservation.mappings[0]?.volumeId).toBe(VOLUME);
  });

  it('is let go when the server was deleted, or the engine took over, while Cinder made it', async () => {
    const { reserved, io } = world('gone');
    await expect(reserveAtCinder(io, reservation)).rejects.toMatchObject({ status: 503 });
    expect([...reserved]).toEqual([]);
  });

  it('that cannot be let go then is answered no differently', async () => {
    const { io } = world('gone', true);
    await expect(reserveAtCinder(io, reservation)).rejects.toMatchObject({ status: 503 });
  });
});
