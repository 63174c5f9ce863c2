import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { join } from 'node:path';

/** The product as an operator runs it: a process of its own with its settings in the environment. */
export interface StandaloneProcess {
  readonly apiUrl: string;
  readonly pid: number;
  /** Milliseconds from the start of the process to its word that it serves. */
  readonly startedIn: number;
  /** SIGTERM, then waits. Answers the exit code. */
  stop(): Promise<number | null>;
}

/** Little memory: V8 would else let garbage gather, for a speed that is not to be seen in any figure here. */
const NODE_FLAGS = ['--max-semi-space-size=4', '--optimize-for-size'];
const START_LIMIT_MS = 60_000;
const SYSTEM_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
const STOP_LIMIT_MS = 40_000;

export async function startStandaloneProcess(env: Record<string, string>): Promise<StandaloneProcess> {
  const began = performance.now();
  const child = spawn(process.execPath, [...NODE_FLAGS, join(import.meta.dirname, '..', 'main.js')], {
    env: { PATH: SYSTEM_PATH, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const exited = new Promise<number | null>((resolve) => child.once('exit', (code) => resolve(code)));
  const apiUrl = await servingUrl(child, exited);
  return {
    apiUrl,
    pid: child.pid ?? 0,
    startedIn: performance.now() - began,
    async stop() {
      child.kill('SIGTERM');
      const late = setTimeout(() => child.kill('SIGKILL'), STOP_LIMIT_MS);
      const code = await exited;
      clearTimeout(late);
      return code;
    },
  };
}

/** Reads the log for the line that says that the API serves; everything else stays for the error, if it comes to one. */
function servingUrl(child: ChildProcess, exited: Promise<number | null>): Promise<string> {
  const said: string[] = [];
  return new Promise((resolve, reject) => {
    const fail = (why: string) => reject(new Error(`the standalone process ${why}:\n${said.slice(-30).join('\n')}`));
    const late = setTimeout(() => {
      child.kill('SIGKILL');
      fail('did not serve in time');
    }, START_LIMIT_MS);
    for (const stream of [child.stdout, child.stderr]) {
      if (stream === null) continue;
      createInterface({ input: stream }).on('line', (line) => {
        if (said.length < 1_000) said.push(line);
        const api = apiOf(line);
        if (api === null) return;
        clearTimeout(late);
        resolve(api);
      });
    }
    void exited.then((code) => {
      clearTimeout(late);
      fail(`ended with ${code}`);
    });
  });
}

function apiOf(line: string): string | null {
  if (!line.includes('"serving"')) return null;
  const entry = JSON.parse(line) as { msg?: string; api?: string };
  return entry.msg === 'serving' ? (entry.api ?? null) : null;
}
