import { describe, expect, it } from '@jest/globals';
import type { ServerId, VolumeId } from '@novella/core';
import { holds, judge, type OperationSpan } from './judge.js';
import { type Accepted, Ledger, type SizeChange } from './ledger.js';

const SERVER = 'server' as ServerId;
const VOLUME = 'volume' as VolumeId;
const GIB = 2 ** 30;

const event = (sizeGib: number, postedAt: number): Accepted => ({
  ...{ requestId: `req-${sizeGib}`, server: SERVER, volume: VOLUME },
  ...{ sizeGib, postedAt, answeredAt: postedAt + 1 },
});
const change = (from: number, to: number, at: number): SizeChange => ({
  ...{ server: SERVER, volume: VOLUME, at },
  ...{ fromBytes: from * GIB, toBytes: to * GIB },
});
const operation = (over: Partial<OperationSpan> = {}): OperationSpan => ({
  ...{
    server: SERVER,
    volume: VOLUME,
    state: 'succeeded',
    waitingFor: null,
    requests: 1,
    createdAt: 100,
    endedAt: 200,
  },
  ...over,
});

/** One event for 2 GiB at 100, which the hypervisor has shown since 150 and which was recorded at 200. */
function cleanRun(): Ledger {
  const ledger = new Ledger();
  ledger.asked.push({ volume: VOLUME, sizeGib: 2, at: 90 });
  const posted = event(2, 100);
  ledger.accept(posted);
  ledger.changes.push(change(1, 2, 150));
  ledger.end(posted, { result: 'Success', finishedAt: 200, details: null });
  return ledger;
}

describe('the judge', () => {
  it('finds nothing in a clean run, and says how long the slowest took', () => {
    const verdict = judge(cleanRun(), [operation()]);
    expect(verdict).toMatchObject({ accepted: 1, done: 1, slowestMs: 100, sizeChanges: 1 });
    expect(holds(verdict)).toBe(true);
  });

  it('calls an accepted event lost that has no end and that no operation waits with', () => {
    const ledger = cleanRun();
    ledger.accept(event(3, 300));
    expect(judge(ledger, [operation()]).lost).toHaveLength(1);
    const queued = operation({ state: 'queued', createdAt: 300, endedAt: null });
    const verdict = judge(ledger, [operation(), queued]);
    expect(verdict.lost).toHaveLength(1);
    expect(holds(verdict)).toBe(false);
  });

  it('calls it parked when its operation waits for something that has a name', () => {
    const ledger = cleanRun();
    ledger.accept(event(3, 300));
    const waiting = operation({ state: 'waiting', waitingFor: 'host', createdAt: 300, endedAt: null });
    const verdict = judge(ledger, [operation(), waiting]);
    expect([verdict.lost.length, [...verdict.parked]]).toEqual([0, [['host', 1]]]);
  });

  it('counts failures by the code of their reason', () => {
    const ledger = cleanRun();
    const failed = event(3, 300);
    ledger.accept(failed);
    ledger.end(failed, { result: 'Error', finishedAt: 310, details: 'volume-detached: it is gone' });
    const verdict = judge(ledger, [operation()]);
    expect([...verdict.failed]).toEqual([['volume-detached', 1]]);
    expect(holds(verdict)).toBe(true);
  });

  it('calls a success false that was recorded before the hypervisor showed the size', () => {
    const ledger = cleanRun();
    const early = event(3, 300);
    ledger.asked.push({ volume: VOLUME, sizeGib: 3, at: 290 });
    ledger.accept(early);
    ledger.end(early, { result: 'Success', finishedAt: 349, details: null });
    ledger.changes.push(change(2, 3, 350));
    const verdict = judge(ledger, [operation(), operation({ createdAt: 300, endedAt: 400 })]);
    expect(verdict.falseSuccess).toHaveLength(1);
    expect(holds(verdict)).toBe(false);
  });

  it('takes a success for true when the hypervisor showed more by then', () => {
    const ledger = cleanRun();
    ledger.asked.push({ volume: VOLUME, sizeGib: 4, at: 140 });
    ledger.changes.push(change(2, 4, 160));
    expect(judge(ledger, [operation({ requests: 2 })]).falseSuccess).toEqual([]);
  });

  const DOUBLE: [string, (ledger: Ledger) => void, Partial<OperationSpan>][] = [
    ['a size becomes smaller', (ledger) => void ledger.changes.push(change(2, 1, 160)), { requests: 2 }],
    [
      'one operation changes the size more often than it was asked',
      (ledger) => {
        ledger.asked.push({ volume: VOLUME, sizeGib: 3, at: 90 });
        ledger.changes.push(change(2, 3, 160));
      },
      {},
    ],
    ['a size becomes more than Cinder was asked for', (ledger) => void ledger.changes.push(change(2, 3, 160)), {}],
    ['a size changes after the operation has ended', () => undefined, { endedAt: 149 }],
    ['a size changes before the operation was there', () => undefined, { createdAt: 151 }],
  ];
  it.each(DOUBLE)('calls it double-applied when %s', (_, plant, over) => {
    const ledger = cleanRun();
    plant(ledger);
    const verdict = judge(ledger, [operation(over)]);
    expect(verdict.doubleApplied.length).toBeGreaterThan(0);
    expect(holds(verdict)).toBe(false);
  });

  it('lets an operation change the size once for each request that it has taken in', () => {
    const ledger = cleanRun();
    ledger.asked.push({ volume: VOLUME, sizeGib: 3, at: 90 });
    ledger.changes.push(change(2, 3, 160));
    expect(judge(ledger, [operation({ requests: 2 })]).doubleApplied).toEqual([]);
  });

  it('lets a second attempt take what Cinder has grown meanwhile, although its event is still on the way', () => {
    const ledger = cleanRun();
    ledger.asked.push({ volume: VOLUME, sizeGib: 3, at: 155 });
    ledger.changes.push(change(2, 3, 160));
    expect(judge(ledger, [operation()]).doubleApplied).toEqual([]);
  });
});
