import { DemoCloud, type DemoServer, LIMIT } from '../demo/cloud.js';
import { until, watchCinderAndGuest } from '../demo/growth.js';
import { Narrator } from '../demo/narrator.js';
import { ms, privateMemory, quantile, type Row } from './figures.js';

/** One standalone process with a real guest on a raw file. */
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

/** Answers what was measured, and whether everything ended well. */
export async function benchGuest(count: number): Promise<{ rows: Row[]; endedWell: boolean }> {
  const cloud = new DemoCloud(new Narrator((line) => process.stdout.write(line)));
  try {
    await cloud.start();
    const server = await cloud.bootServer();
    const { acceptedToRecorded, cinderToGuest } = await grows(cloud, server, count);
    const { startedIn, pid } = cloud.standalone;
    const rows: Row[] = [
      ['standalone: start until it serves, Postgres included', `${(startedIn / 1000).toFixed(2)} s`],
      ['standalone: private memory (RssAnon)', `${(await privateMemory(pid)).toFixed(0)} MB`],
      [`event accepted -> resized, read back, recorded (${count} grows): p50`, ms(quantile(acceptedToRecorded, 0.5))],
      ['  p95', ms(quantile(acceptedToRecorded, 0.95))],
      [`Cinder says grown -> the guest's kernel line (${count} grows): median`, ms(quantile(cinderToGuest, 0.5))],
      ['  p95', ms(quantile(cinderToGuest, 0.95))],
    ];
    return { rows, endedWell: await cloud.close() };
  } catch (error) {
    await cloud.close();
    throw error;
  }
}
