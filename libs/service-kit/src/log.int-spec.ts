import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { afterEach, expect, it } from '@jest/globals';

const CHECKOUT = join(import.meta.dirname, '..', '..', '..');
const PROGRAM = `
  const { createLog } = await import('./libs/service-kit/src/log.ts');
  const log = createLog({ name: 'test', level: 'info' });
  process.on('SIGTERM', () => {
    for (let n = 0; n < 100; n++) log.info('a last word', { n });
    process.exit(0);
  });
  log.info('up');
  setInterval(() => undefined, 1_000);
`;

let child: ChildProcess | null = null;
afterEach(() => void child?.kill('SIGKILL'));

it('a process whose reader has gone can end, whatever it still has to say', async () => {
  const loader = join(CHECKOUT, 'test', 'bad-input', 'typescript.mjs');
  const words = ['--import', loader, '--input-type=module', '-e', PROGRAM];
  const speaker = spawn(process.execPath, words, { cwd: CHECKOUT, stdio: ['ignore', 'pipe', 'ignore'] });
  child = speaker;
  await once(speaker.stdout, 'data');
  speaker.stdout.destroy();
  speaker.kill('SIGTERM');
  const [code] = (await once(speaker, 'exit')) as [number | null];
  expect(code).toBe(0);
}, 30_000);
