import { describe, expect, it } from '@jest/globals';
import { millis, minutes } from '@novella/core';
import { virtualClock } from '@novella/testing';
import { newAlarm, realTime } from './alarm.js';

const neverAborted = new AbortController().signal;

describe('newAlarm', () => {
  it('sleeps as long as it was told', async () => {
    const clock = virtualClock();
    let awake = false;
    const slept = newAlarm(clock)
      .sleep(millis(100), neverAborted)
      .then(() => (awake = true));
    await clock.advance(millis(99));
    expect(awake).toBe(false);
    await clock.advance(millis(1));
    await slept;
  });

  it('wakes when it rings, and does not sleep when it has rung before', async () => {
    const clock = virtualClock();
    const alarm = newAlarm(clock);
    const slept = alarm.sleep(minutes(60), neverAborted);
    alarm.ring();
    await slept;
    await alarm.sleep(minutes(60), neverAborted);
    expect(clock.monotonic()).toBe(0);
    expect(clock.sleeping).toBe(0);
  });

  it("rejects with the signal's reason, before and while it sleeps, also when it has rung", async () => {
    const [abort, reason] = [new AbortController(), new Error('enough')];
    const alarm = newAlarm(virtualClock());
    const slept = alarm.sleep(minutes(60), abort.signal);
    abort.abort(reason);
    await expect(slept).rejects.toBe(reason);
    alarm.ring();
    await expect(alarm.sleep(minutes(60), abort.signal)).rejects.toBe(reason);
  });
});

describe('realTime', () => {
  it('passes while it sleeps', async () => {
    const before = realTime.monotonic();
    await realTime.sleep(millis(5));
    expect(realTime.monotonic()).toBeGreaterThan(before);
  });

  it("ends a sleep with the signal's reason", async () => {
    const [abort, reason] = [new AbortController(), new Error('enough')];
    const slept = realTime.sleep(minutes(60), abort.signal);
    abort.abort(reason);
    await expect(slept).rejects.toBe(reason);
    await expect(realTime.sleep(minutes(60), abort.signal)).rejects.toBe(reason);
  });
});
