import 'reflect-metadata';
import { afterAll, afterEach, beforeAll, describe } from '@jest/globals';
import { holdTheirNames } from './names.cases.js';
import { outliveOutages } from './outages.cases.js';
import { endInOrder } from './shutdown.cases.js';
import { Stack } from './stack.js';
import { startsInAnyOrder } from './start.cases.js';

/**
 * nova-api, conductor and compute as processes of their own, on a real RabbitMQ and Postgres that all cases share, with
 * guests in memory.
 */
let stack: Stack;
beforeAll(async () => {
  stack = await Stack.start();
}, 120_000);
afterAll(() => stack.close(), 60_000);

describe('the programs start in any order:', () => {
  afterAll(() => stack.endPrograms());
  startsInAnyOrder(() => stack);
});

describe('hosts and conductors hold their names:', () => {
  beforeAll(() => stack.prepare());
  afterAll(() => stack.endPrograms());
  holdTheirNames(() => stack);
});

describe('the programs end in order:', () => {
  beforeAll(() => stack.prepare());
  afterAll(() => stack.endPrograms());
  endInOrder(() => stack);
});

describe('the programs outlive outages:', () => {
  beforeAll(() => stack.prepare());
  afterAll(() => stack.endPrograms());
  outliveOutages(() => stack);
});

// A test that fails half way leaves the ways open for the next one.
afterEach(async () => {
  await stack.toBroker.open();
  await stack.toDatabase.open();
});
