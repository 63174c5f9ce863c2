import 'reflect-metadata';
import { benchAuth } from './auth.js';
import { printRows } from './figures.js';
import { benchGuest } from './guest.js';
import { benchRpc } from './rpc.js';

/**
 * Measures, asserts nothing; Postgres with fsync on.
 *   npm run bench                     all of it
 *   npm run bench -- guest [50]       so many grows under a real guest, in one standalone process
 *   npm run bench -- auth [10000]     so many requests whose token is known from Keystone already
 *   npm run bench -- rpc [300]        so many events through the apps apart over RabbitMQ, hypervisors in memory
 */
const BENCHES = {
  auth: { count: 10_000, run: benchAuth },
  guest: { count: 50, run: benchGuest },
  rpc: { count: 300, run: benchRpc },
} as const;

const [name, given] = process.argv.slice(2);
const chosen = Object.entries(BENCHES).filter(([each]) => name === undefined || each === name);
const wanted = given === undefined ? null : Number(given);
if (chosen.length === 0 || (wanted !== null && (!Number.isInteger(wanted) || wanted < 1 || wanted > 10_000))) {
  process.stderr.write('usage: npm run bench -- [auth | guest | rpc] [count from 1 to 10000]\n');
  process.exit(2);
}
try {
  for (const [, { count, run }] of chosen) {
    const { rows, endedWell } = await run(wanted ?? count);
    printRows(rows);
    if (!endedWell) process.exitCode = 1;
  }
} catch (error) {
  process.stderr.write(`${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
  process.exitCode = 1;
}
