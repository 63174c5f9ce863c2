import { afterAll, beforeAll, describe } from '@jest/globals';
import { seconds } from '@novella/core';
import { outlastTheBrokersTroubles } from './broker.cases.js';
import { Fleet } from './fleet.js';
import { outlastAFullDatabase } from './postgres.cases.js';
import { Region } from './region.js';

/** Broker and database each on a file system of their own, that has an end. */
const LONG = 180_000;
const VOLUMES = 8;

let region: Region;
let fleet: Fleet;
beforeAll(async () => {
  region = await Region.start({
    brokerDiskMib: 200,
    databaseDiskMib: 160,
    muteCinder: true,
    confirmWithin: seconds(5),
  });
  fleet = await Fleet.of(region, VOLUMES);
}, LONG);
afterAll(() => region.close(), LONG);

describe('what is accepted is done, although', () => {
  outlastTheBrokersTroubles(() => ({ region, fleet }));
  outlastAFullDatabase(() => ({ region, fleet }));
});
