import { readdir, readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';

/**
 * Set in the environment of each process of a cluster: its state folder. Whoever has it belongs to that cluster, also
 * when the cluster that started it was killed.
 */
export const MEMBER_OF = 'NOVELLA_CLUSTER_STATE';

/** Each has a guard of its own that ends it when its cluster is gone; an app finishes its work first. */
const PATIENCE_MS = 60_000;
const POLL_MS = 100;

/**
 * Waits until nothing of an earlier run uses the state folder any more; what outlives that is killed. Answers how many
 * there were. Postgres looks after its own.
 */
export async function waitForLeftovers(state: string, onWait: (pids: readonly number[]) => void): Promise<number> {
  const found = await leftovers(state);
  if (found.length === 0) return 0;
  onWait(found);
  const end = performance.now() + PATIENCE_MS;
  for (let left = found; left.length > 0; left = await stillThere([...left, ...(await leftovers(state))])) {
    if (performance.now() > end) for (const pid of left) killIfThere(pid);
    await sleep(POLL_MS);
  }
  return found.length;
}

/** A process that ends loses its words first and its files, ports and locks after that; a zombie has none left. */
async function stillThere(pids: readonly number[]): Promise<number[]> {
  const states = await Promise.all(
    [...new Set(pids)].map(async (pid) => {
      const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
      return { pid, state: stat.slice(stat.lastIndexOf(')') + 2).charAt(0) };
    }),
  );
  return states.filter(({ state }) => !['', 'Z', 'X'].includes(state)).map(({ pid }) => pid);
}

async function leftovers(state: string): Promise<number[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name)).map(Number);
  const ours: number[] = [];
  for (const pid of pids) if (pid !== process.pid && (await belongsTo(pid, state))) ours.push(pid);
  return ours;
}

async function belongsTo(pid: number, state: string): Promise<boolean> {
  const [environment, command] = await Promise.all([words(pid, 'environ'), words(pid, 'cmdline')]);
  return (
    environment.includes(`${MEMBER_OF}=${state}`) ||
    // The broker and the hypervisors' namespaces are started by others' hands.
    environment.some((word) => word.startsWith('RABBITMQ_') && word.includes(`=${state}/`)) ||
    (command.includes('libvirtd-supervisor') && command.some((word) => word.startsWith(`${state}/`)))
  );
}

/** Those of a process that is gone, or another user's, are none. */
async function words(pid: number, file: 'environ' | 'cmdline'): Promise<string[]> {
  const text = await readFile(`/proc/${pid}/${file}`, 'utf8').catch(() => '');
  return text.split('\0');
}

function killIfThere(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It has ended meanwhile.
  }
}
