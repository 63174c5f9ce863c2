import 'reflect-metadata';
import { lstat } from 'node:fs/promises';
import { bytes, NovellaError } from '@novella/core';
import { runProgram } from '@novella/service-kit';
import { type DriverMethod, FakeDriver, type HeldCall } from '@novella/virt';
import { ComputeConfig } from '../../apps/compute/src/compute.config.js';
import { startCompute } from '../../apps/compute/src/start-compute.js';

/**
 * The compute program with a hypervisor that a test holds from outside. It is told
 *   hold METHOD   the driver's next call of it stands still, and `held METHOD` is told when it does
 *   release       what stands still goes on
 *   away, back    the hypervisor does not answer, or does again
 * The argument `away` starts it with the hypervisor away.
 */
const driver = new FakeDriver({ deviceSize: async ({ path }) => bytes((await lstat(path)).size) });
const held: HeldCall[] = [];
let away = process.argv.includes('away');
driver.setReachable(!away);

process.on('message', (message) => {
  const [word, method] = String(message).split(' ');
  if (word === 'hold') hold(method as DriverMethod);
  if (word === 'release') for (const call of held.splice(0)) call.release();
  if (word === 'away' || word === 'back') {
    away = word === 'away';
    driver.setReachable(!away);
  }
});

function hold(method: DriverMethod): void {
  const call = driver.hangNext(method, 'before');
  held.push(call);
  void call.reached.then(() => process.send?.(`held ${method}`));
}

const openDriver = (): Promise<FakeDriver> =>
  away ? Promise.reject(new NovellaError('hypervisor-unreachable', 'the test says so')) : Promise.resolve(driver);

void runProgram('compute', ComputeConfig, (config, program) => startCompute(config, program, openDriver));
