import { describe, expect, it } from '@jest/globals';
import { type HostName, type Log, millis, NovellaError, seconds } from '@novella/core';
import { openMemoryStore } from '@novella/persistence';
import { virtualClock } from '@novella/testing';
import { OwnReports } from './own-reports.js';

const NAME = 'conductor-1' as HostName;

function world(failures = 0) {
  const clock = virtualClock();
  const memory = openMemoryStore({ serviceDownTime: seconds(60), clock });
  const warnings: string[] = [];
  const keep = (message: string) => void warnings.push(message);
  const log: Log = { debug: () => undefined, info: () => undefined, warn: keep, error: keep };
  let left = failures;
  const store = {
    ...memory,
    reportService: (report: Parameters<typeof memory.reportService>[0]) => {
      left -= 1;
      if (left >= 0) return Promise.reject(new NovellaError('database-unreachable', 'away'));
      return memory.reportService(report);
    },
  };
  const reports = new OwnReports({ name: NAME, store, clock, log });
  const conductors = () => memory.services('nova-conductor');
  return { clock, reports, conductors, warnings };
}

describe('OwnReports', () => {
  it('shows the conductor as up, and keeps it so', async () => {
    const { clock, reports, conductors } = world();
    reports.start();
    await clock.advance(millis(1));
    expect(await conductors()).toMatchObject([{ host: NAME, binary: 'nova-conductor', up: true, publicKey: null }]);
    await clock.advance(seconds(120));
    expect(await conductors()).toMatchObject([{ up: true }]);
    await reports.stop();
  });

  it('shows it as down at once when it stops', async () => {
    const { clock, reports, conductors } = world();
    reports.start();
    await clock.advance(millis(1));
    await reports.stop();
    expect(await conductors()).toMatchObject([{ host: NAME, up: false }]);
  });

  it('complains once while the store is away, and reports when it is back', async () => {
    const { clock, reports, conductors, warnings } = world(3);
    reports.start();
    await clock.advance(seconds(25));
    expect([await conductors(), warnings.length]).toEqual([[], 1]);
    await clock.advance(seconds(10));
    expect(await conductors()).toMatchObject([{ up: true }]);
    await reports.stop();
  });
});
