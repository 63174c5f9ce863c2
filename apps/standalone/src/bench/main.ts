import 'reflect-metadata';
import { readFile } from 'node:fs/promises';
import { DemoCloud, type DemoServer, LIMIT } from './cloud.js';
import { until, watchCinderAndGuest } from './growth.js';
import { Narrator } from './narrator.js';

/**
 * Measures, asserts nothing: one standalone process with a real guest on a raw file, Postgres with fsync on.
 *   npm run bench            50 grows
 *   npm run bench -- 200     so many
 */
interface Figures {
  /** From the request's start to the moment when what was read back is in the record, by the database's clock. */
  readonly acceptedToRecorded: number[];
  /** From Cinder's first answer with the new size to the line of the guest's kernel. */
  readonly cinderToGuest: number[];
}

async function grows(cloud: DemoCloud, server: DemoServer, count: number): Promise<Figures> {
  const volume = await cloud.attachVolume(server);
  const figures: Figures = { acceptedToRecorded: [], cinderToGuest: [] };
  for (let size = 2; size < count + 2; size++) {
    const quiet = { ...(await cloud.growthWatch(server, volume, size)), narrator: new Narrator(() => undefined) };
    const growing = watchCinderAndGuest(quiet, LIMIT);
    await cloud.openstack.extendVolume(volume, size);
    figures.cinderToGuest.push(await growing);
    figures.acceptedToRecorded.push(await newestExtend(cloud, server));
  }
  return figures;
}

async function newestExtend({ openstack }: DemoCloud, { id }: DemoServer): Promise<number> {
  const [action] = await openstack.actions(id);
  if (action === undefined) throw new Error('there is no action');
  let took = Number.NaN;
  await until(5, LIMIT, async () => {
    const [event] = await openstack.actionEvents(id, action.request_id);
    const finished = event?.finish_time ?? null;
    if (finished === null) return false;
    took = Date.parse(`${finished}Z`) - Date.parse(`${action.start_time}Z`);
    return true;
  });
  return took;
}

/** RssAnon of a process, in MB. */
async function privateMemory(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  return Number(/RssAnon:\s+(\d+)/.exec(status)?.[1]) / 1024;
}

function quantile(values: readonly number[], q: number): string {
  const sorted = [...values].sort((a, b) => a - b);
  return `${(sorted[Math.min(sorted.length - 1, Math.ceil(q * sorted.length) - 1)] ?? Number.NaN).toFixed(0)} ms`;
}

const narrator = new Narrator((line) => process.stdout.write(line));
const cloud = new DemoCloud(narrator);
const count = Number(process.argv[2] ?? 50);
try {
  if (!Number.isInteger(count) || count < 1 || count > 1_000) throw new Error('give a number of grows from 1 to 1000');
  await cloud.start();
  const server = await cloud.bootServer();
  const { acceptedToRecorded, cinderToGuest } = await grows(cloud, server, count);
  const rows = [
    ['standalone start until it serves, Postgres included', `${(cloud.standalone.startedIn / 1000).toFixed(2)} s`],
    ['private memory of standalone (RssAnon)', `${(await privateMemory(cloud.standalone.pid)).toFixed(0)} MB`],
    [`event accepted -> resized, read back, recorded (${count} grows): p50`, quantile(acceptedToRecorded, 0.5)],
    ['  p95', quantile(acceptedToRecorded, 0.95)],
    [`Cinder says grown -> the guest's kernel line (${count} grows): median`, quantile(cinderToGuest, 0.5)],
    ['  p95', quantile(cinderToGuest, 0.95)],
  ];
  for (const [what = '', figure = ''] of rows) process.stdout.write(`${what.padEnd(72)}${figure.padStart(10)}\n`);
} catch (error) {
  process.stderr.write(`${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
  process.exitCode = 1;
}
if (!(await cloud.close())) process.exitCode = 1;
