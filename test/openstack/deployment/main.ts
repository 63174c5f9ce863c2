import 'reflect-metadata';
import { type ChildProcess, spawn } from 'node:child_process';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { startDeployment, writeFacts } from './deployment.js';
import { FACTS_FILE } from './facts.js';
import { PartMissing, Started } from './started.js';

/*
 * Brings a whole OpenStack up, runs the stories of test/openstack/stories against it, and takes everything down.
 *
 *   main.ts [--skip PART,PART] [--keep] [words for Jest]
 *
 * --keep runs no stories: it says where the facts are, and waits for Ctrl-C. Exit code 1 when a part could not be had or a
 * story failed.
 */
const ROOT = join(import.meta.dirname, '..', '..', '..');
const JEST = [
  '--experimental-vm-modules',
  '--disable-warning=ExperimentalWarning',
  'node_modules/jest/bin/jest.js',
  '--reporters=default',
  '--reporters=./test/openstack/deployment/progress-reporter.mjs',
  '--reporters=./deploy/machine/summary-reporter.mjs',
  // Words may follow, which an option that takes several would swallow.
  ...['--selectProjects', 'openstack', '--runInBand', '--forceExit', '--verbose=false', '--testTimeout=300000'],
];
const since = performance.now();
const say = (line: string): void => {
  process.stdout.write(`${((performance.now() - since) / 1000).toFixed(1).padStart(6)} s  ${line}\n`);
};

process.exitCode = await main(process.argv.slice(2));

async function main(words: string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args: words,
    allowPositionals: true,
    options: { skip: { type: 'string', default: '' }, keep: { type: 'boolean', default: false } },
  });
  const stop = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => stop.abort());

  const folder = await mkdtemp(join(tmpdir(), 'novella-os-'));
  await chmod(folder, 0o755);
  const started = new Started(say);
  let isWell = false;
  try {
    const facts = await startDeployment(
      { folder, say, skip: new Set(values.skip.split(',').filter(Boolean)) },
      started,
    );
    const file = await writeFacts(facts);
    say(`all is there; ${FACTS_FILE}=${file}`);
    const code = values.keep ? await untilStopped(stop.signal) : await runStories(file, positionals, stop.signal);
    isWell = code === 0;
    return code;
  } catch (error) {
    say(error instanceof PartMissing ? `${error.message}: ${causesOf(error)}` : String((error as Error).stack));
    return 1;
  } finally {
    await started.end();
    if (isWell) await rm(folder, { recursive: true, force: true });
    else say(`logs and all else are in ${folder}`);
  }
}

function untilStopped(signal: AbortSignal): Promise<number> {
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(0), { once: true }));
}

async function runStories(factsFile: string, words: readonly string[], signal: AbortSignal): Promise<number> {
  const jest = spawn(process.execPath, [...JEST, ...words], {
    cwd: ROOT,
    stdio: 'inherit',
    env: { ...process.env, [FACTS_FILE]: factsFile },
    detached: true,
  });
  signal.addEventListener('abort', () => jest.kill('SIGTERM'), { once: true });
  return exitOf(jest);
}

function exitOf(child: ChildProcess): Promise<number> {
  return new Promise((resolve, reject) => {
    child.once('error', reject).once('exit', (code) => resolve(code ?? 1));
  });
}

function causesOf({ cause }: Error): string {
  if (!(cause instanceof Error)) return 'no more is known';
  return [cause.message, ...(cause.cause instanceof Error ? [causesOf(cause)] : [])].join('\n');
}
