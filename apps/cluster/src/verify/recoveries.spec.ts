import { describe, expect, it } from '@jest/globals';
import { type Recovery, recoveryRows } from './recoveries.js';

const kill = (part: string, at: number, servedAt: number | null, from = at): Recovery => ({
  ...{ part, kind: 'kill', at, from, servedAt },
});

describe('the times of recovery', () => {
  it('are by part, of the kills that met no other fault: how many, the middle one and the slowest', () => {
    const kills = [
      kill('nova-api', 0, 2),
      kill('nova-api', 10, 14),
      kill('nova-api', 20, 23),
      kill('postgres', 30, 36, 35),
    ];
    expect(recoveryRows(kills)).toEqual([
      { part: 'nova-api', kills: 3, alone: 3, medianMs: 3, slowestMs: 4, slowestOfAllMs: 4 },
      { part: 'postgres', kills: 1, alone: 1, medianMs: 1, slowestMs: 1, slowestOfAllMs: 1 },
    ]);
  });

  it('leave out who recovered while something else was broken', () => {
    const kills = [kill('nova-api', 0, 9), kill('compute-1', 5, 8)];
    expect(recoveryRows(kills)).toEqual([
      { part: 'compute-1', kills: 1, alone: 0, medianMs: null, slowestMs: null, slowestOfAllMs: 3 },
      { part: 'nova-api', kills: 1, alone: 0, medianMs: null, slowestMs: null, slowestOfAllMs: 9 },
    ]);
  });

  it('count what a freeze does to a kill beside it, but not the freeze itself', () => {
    const freeze: Recovery = { ...kill('compute-1', 1, 4), kind: 'freeze' };
    expect(recoveryRows([freeze, kill('nova-api', 0, 2)])).toMatchObject([{ part: 'nova-api', alone: 0 }]);
  });

  it('are none for a part that never served again, and it breaks what came after it', () => {
    const rows = recoveryRows([kill('nova-api', 0, null), kill('compute-1', 5, 8)]);
    expect(rows.map(({ part, alone }) => [part, alone])).toEqual([
      ['compute-1', 0],
      ['nova-api', 0],
    ]);
  });
});
