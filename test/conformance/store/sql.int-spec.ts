import { jest } from '@jest/globals';
import { sqlHarness } from './sql-harness.js';
import { storeConformance } from './store-conformance.js';

jest.setTimeout(60_000);

storeConformance('SQL', sqlHarness);
