import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir, readFile } from 'node:fs/promises';

/** Processes that are stopped by a signal until `goOn`. */
export interface Frozen {
  goOn(): Promise<void>;
}

/** Goes on with them at the end of its input: when we say so, and when we are gone, however that came. */
const THAW = 'read -r _; kill -CONT "$@" 2> /dev/null; true';

/** Stops them as SIGSTOP does. Nothing stays stopped when this process ends. */
export async function freeze(pids: readonly number[]): Promise<Frozen> {
  if (pids.length === 0) return { goOn: () => Promise.resolve() };
  const thaw = spawn('sh', ['-c', THAW, 'thaw', ...pids.map(String)], {
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true,
  });
  await once(thaw, 'spawn');
  for (const pid of pids) signalIfThere(pid, 'SIGSTOP');
  return { goOn: () => ended(thaw) };
}

async function ended(thaw: ChildProcess): Promise<void> {
  const gone = once(thaw, 'exit');
  thaw.stdin?.end();
  await gone;
}

export function signalIfThere(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // It has ended meanwhile.
  }
}

/** A process and all that it has started. */
export async function withDescendants(pid: number): Promise<number[]> {
  const parents = new Map<number, number>();
  for (const name of await readdir('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    const stat = await readFile(`/proc/${name}/stat`, 'utf8').catch(() => null);
    if (stat !== null) parents.set(Number(name), Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]));
  }
  const found = [pid];
  for (const one of found) for (const [child, parent] of parents) if (parent === one) found.push(child);
  return found;
}

/** Of this program whose environment has this text: who starts Erlang does not tell its pid. */
export async function pidsOf(program: string, text: string): Promise<number[]> {
  const found: number[] = [];
  for (const name of await readdir('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    const command = await readFile(`/proc/${name}/comm`, 'utf8').catch(() => '');
    if (command.trim() !== program) continue;
    const environment = await readFile(`/proc/${name}/environ`, 'utf8').catch(() => '');
    if (environment.includes(text)) found.push(Number(name));
  }
  return found;
}
