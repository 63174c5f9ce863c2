import { millis, type Millis } from '@novella/core';
import { openMemoryStore } from '@novella/persistence';
import { storeConformance } from './store-conformance.js';
import { SERVICE_DOWN_TIME } from './world.js';

storeConformance('memory', () => {
  let now = Date.UTC(2026, 0, 1);
  const clock = {
    monotonic: (): Millis => millis(now),
    wallTime: () => new Date(now),
    sleep: () => Promise.reject(new Error('a store does not sleep')),
  };
  return Promise.resolve({
    fresh: (sessions) => {
      const store = openMemoryStore({ serviceDownTime: SERVICE_DOWN_TIME, clock });
      return Promise.resolve(Array.from({ length: sessions }, () => store));
    },
    pass: (ms) => {
      now += ms;
      return Promise.resolve();
    },
    close: () => Promise.resolve(),
  });
});
