import { describe, expect, it } from '@jest/globals';
import { gib, gibToBytes, millis } from '@novella/core';
import type { OperationFacts } from '@novella/persistence';
import { facts, mapping, operation, SERVER, virtualClock } from '@novella/testing';
import { attach } from '../../apps/conductor/src/operations/attach.js';
import { detach } from '../../apps/conductor/src/operations/detach.js';
import type { FlowIo } from '../../apps/conductor/src/operations/plan.js';
import { Chance } from './chance.js';
import { Cinder } from './cinder.js';
import { Storage } from './storage.js';

/** What seeds have found, each made small. */
describe('a detach of a volume whose growth Cinder has left to the host', () => {
  async function growing() {
    const cinder = new Cinder(new Chance(1), new Storage(virtualClock()), () => Promise.resolve(false));
    const volume = cinder.make('qcow2');
    const attachmentId = await cinder.api.createAttachment(volume.id, SERVER, {} as never);
    cinder.attachments.get(attachmentId)!.state = 'attached';
    cinder.grow(volume.id, 2, millis(0));
    const rows = facts({ mappings: [mapping({ volumeId: volume.id, attachmentId })] });
    const io: FlowIo = { volumes: cinder.service, computeServices: () => Promise.resolve([]) };
    const begin = (others: OperationFacts['others']) => {
      const turn = { operation: operation({ kind: 'detach', step: 'begin' }), rows: { ...rows, others }, answer: null };
      return detach.run!('begin', turn, io);
    };
    return { cinder, volume, begin };
  }

  it('tells Cinder that it will not grow, when the detach has ended the extend: else it is extending for ever', async () => {
    const { cinder, volume, begin } = await growing();
    expect(await begin([])).toEqual({ next: 'off-host' });
    expect(cinder.statusOf(volume)).toBe('detaching');
    expect(volume.extendingTo).toBeNull();
    expect(volume.size).toBe(1);
  });

  it('is refused while an extend of it is open, and the extend goes on', async () => {
    const { cinder, volume, begin } = await growing();
    const extend = { kind: 'extend', state: 'dispatched', volumeId: volume.id } as const;
    await expect(begin([extend])).rejects.toMatchObject({ code: 'cinder-refused' });
    expect(cinder.statusOf(volume)).toBe('extending');
  });
});

describe('an attach of a volume whose file is larger than Cinder says', () => {
  it('shows the size that the guest sees', () => {
    const disk = { hostBytes: gibToBytes(gib(4)), guestBytes: gibToBytes(gib(4)) };
    const one = mapping({ attachedAt: null });
    const turn = {
      operation: operation({ kind: 'attach', step: 'on-host', attempt: 1, serverId: SERVER }),
      rows: facts({ mappings: [one] }),
      answer: { status: 'attached', disk: { volume: one.volumeId, ...disk } },
    } as const;
    expect(attach.decide(turn, null)).toMatchObject({ changes: { mappings: [{ ...disk, size: 4 }] } });
  });
});
