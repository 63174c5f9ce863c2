import { describe, expect, it } from '@jest/globals';
import { gib, gibToBytes, type OperationKind, type ProjectId, type VolumeId } from '@novella/core';
import type { AttachedVolume } from '@novella/persistence';
import { HOST, mapping, operation, seededRandom, SERVER, VOLUME } from '@novella/testing';
import { isBehind, Reconciler, type ReconcilerIo } from './reconciler.js';

const attached = (over: Partial<AttachedVolume> = {}, ...[row]: Parameters<typeof mapping>): AttachedVolume => ({
  mapping: mapping(row),
  host: HOST,
  projectId: 'p' as ProjectId,
  powerState: 'running',
  refused: null,
  ...over,
});
const TWO = gibToBytes(gib(2));

describe('an attachment', () => {
  it('is behind when the guest was last seen with less than Cinder has', () => {
    expect(isBehind(attached(), gib(2), 'extend-volume')).toBe(true);
    expect(isBehind(attached(), gib(1), 'extend-volume')).toBe(false);
  });

  it('is judged by the host while the guest is off', () => {
    for (const powerState of ['shutdown', 'saved'] as const) {
      expect(isBehind(attached({ powerState }, { guestBytes: null, hostBytes: TWO }), gib(2), '')).toBe(false);
      expect(isBehind(attached({ powerState }, { guestBytes: null }), gib(2), '')).toBe(true);
    }
  });

  it('is behind when the guest runs and is not known to have seen anything of it', () => {
    for (const powerState of ['running', 'paused'] as const) {
      expect(isBehind(attached({ powerState }, { guestBytes: null, hostBytes: TWO }), gib(2), '')).toBe(true);
    }
  });

  it('is not asked for again with the facts that were refused, but when volume or host have changed (rules 3.7c, 3.10e)', () => {
    const refused = { wantedBytes: TWO, capabilities: ['protocol:local', 'extend-volume'] };
    expect(isBehind(attached({ refused }), gib(2), 'extend-volume,protocol:local')).toBe(false);
    expect(isBehind(attached({ refused }), gib(3), 'extend-volume,protocol:local')).toBe(true);
    expect(isBehind(attached({ refused }), gib(2), 'extend-volume,live,protocol:local')).toBe(true);
  });
});

describe('a guest that runs again', () => {
  const opened = async (
    kind: OperationKind | null,
    row: Parameters<typeof mapping>[0],
  ): Promise<readonly unknown[]> => {
    const asked: unknown[] = [];
    const store = {
      operations: () => Promise.resolve(kind === null ? [] : [operation({ kind })]),
      blockDeviceMappings: () => Promise.resolve(new Map([[SERVER, [mapping(row)]]])),
      openSystemExtend: (input: { volumeId: VolumeId }) => Promise.resolve(asked.push(input.volumeId) > 0),
    } as unknown as ReconcilerIo['store'];
    const io = { store, random: seededRandom(1), hint: () => undefined } as unknown as ReconcilerIo;
    expect(await new Reconciler(io).guestStarted(SERVER)).toBe(asked.length);
    return asked;
  };

  it.each([
    ['it was off', { guestBytes: null }, [VOLUME]],
    ['it sees less than is wanted', { guestBytes: gibToBytes(gib(1)), wantedBytes: TWO }, [VOLUME]],
    ['it sees enough', { guestBytes: TWO, wantedBytes: TWO }, []],
    ['the volume is not attached yet', { guestBytes: null, attachedAt: null }, []],
  ])('is read back when %s (rule 3.10d)', async (_, row, expected) => {
    expect(await opened(null, row)).toEqual(expected);
  });

  it.each(['build', 'start', 'reboot', 'unpause', 'resume'] as const)(
    'is left to the %s that makes it run',
    async (kind) => {
      expect(await opened(kind, { guestBytes: null })).toEqual([]);
    },
  );
});
