import { beforeAll, describe, expect, it } from '@jest/globals';
import { existsSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { processesOf } from '../cluster/cluster-process.js';
import { VerifyProcess } from './verify-process.js';

/** Everything is compiled as it starts and killed as it runs, on a machine that may be busy with other tests. */
const SLOW_MS = 300_000;

describe('npm run verify, in its small form', () => {
  const runs: Record<'chaos' | 'lie', VerifyProcess> = {} as never;
  // Most of the time they wait, so they do it side by side.
  beforeAll(() => {
    runs.chaos = new VerifyProcess('--events', '300', '--kills', '9', '--length', '15', '--computes', '3');
    runs.lie = new VerifyProcess('--events', '40', '--kills', '0', '--computes', '1', '--plant', 'lie');
  });

  it(
    'kills every part under load, and finds each accepted event done once',
    async () => {
      const { chaos } = runs;
      const code = await chaos.ended;
      expect(['accepted', 'lost', 'false success'].map((name) => chaos.figure(name))).toEqual(['300', '0', '0']);
      expect(chaos.figure('double-applied')).toMatch(/^0, of \d{2,} changes of a size$/);
      expect(chaos.figure('faults')).toBe('9 kills, 2 freezes, 2 restarts');
      for (const part of ['rabbitmq', 'postgres', 'nova-api', 'conductor-2', 'compute-3', 'cinder-dev']) {
        expect(chaos.figure(`back: ${part}`)).toMatch(/^1 kills/);
      }
      expect(code).toBe(0);
      expect(chaos.said.some((line) => / accepted \d+ {2}done \d+ {2}failed \d+/.test(line))).toBe(true);
      expect(existsSync(chaos.folder)).toBe(false);
    },
    SLOW_MS,
  );

  it(
    'reports a hypervisor that lies as false success, fails, and keeps the data',
    async () => {
      const { lie } = runs;
      expect(await lie.ended).toBe(1);
      expect(lie.figure('accepted')).toBe('40');
      expect(Number(lie.figure('false success'))).toBeGreaterThan(0);
      expect(lie.said).toContain('A PROMISE IS BROKEN');
      expect(existsSync(lie.folder)).toBe(true);
      expect(await processesOf(lie.folder)).toEqual([]);
      await rm(lie.folder, { recursive: true });
    },
    SLOW_MS,
  );

  it(
    'ends all that it started at Ctrl-C, and leaves nothing',
    async () => {
      const run = new VerifyProcess('--events', '40', '--computes', '1');
      await run.saysLine(/RabbitMQ and Postgres are up/, SLOW_MS);
      run.interrupt();
      expect(await run.ended).toBe(130);
      expect(await processesOf(run.folder)).toEqual([]);
      expect(existsSync(run.folder)).toBe(false);
    },
    SLOW_MS,
  );

  it('refuses wrong options, all at once', async () => {
    const run = new VerifyProcess('--kills', 'many', '--parts', 'keystone');
    expect(await run.ended).toBe(2);
    expect(run.said.filter((line) => line.startsWith('verify: '))).toHaveLength(2);
  });
});
