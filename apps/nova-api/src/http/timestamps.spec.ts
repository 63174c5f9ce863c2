import { describe, expect, it } from '@jest/globals';
import { microsecondsWithoutZone, parseTime, secondsWithZone } from './timestamps.js';

const TIME = new Date('2026-01-02T03:04:05.678Z');

describe('times', () => {
  it('are written in two forms', () => {
    expect(secondsWithZone(TIME)).toBe('2026-01-02T03:04:05Z');
    expect(microsecondsWithoutZone(TIME)).toBe('2026-01-02T03:04:05.678000');
  });

  it.each([
    ['2026-01-02', '2026-01-02T00:00:00.000Z'],
    ['2026-01-02T03:04', '2026-01-02T03:04:00.000Z'],
    ['2026-01-02 03:04:05', '2026-01-02T03:04:05.000Z'],
    ['2026-01-02T03:04:05.678901', '2026-01-02T03:04:05.678Z'],
    ['2026-01-02T03:04:05Z', '2026-01-02T03:04:05.000Z'],
    ['2026-01-02T03:04:05+0200', '2026-01-02T01:04:05.000Z'],
    ['2026-01-02T03:04:05-05:30', '2026-01-02T08:34:05.000Z'],
  ])('reads %s as %s', (text, iso) => {
    expect(parseTime(text)?.toISOString()).toBe(iso);
  });

  it.each(['', 'yesterday', '2026-13-01', '2026', '03:04'])('does not read %j', (text) => {
    expect(parseTime(text)).toBeNull();
  });
});
