import 'reflect-metadata';
import { DemoCloud, LIMIT } from './cloud.js';
import { until, watchGrowth } from './growth.js';
import { Narrator } from './narrator.js';
import type { OpenStack } from './openstack.js';

/**
 * The main job, shown: a volume grows while a real guest uses it. Everything is real but the block storage service,
 * which keeps its volumes as sparse files. Exit code 0 only if the guest's own kernel reported each final size.
 */
async function demo(cloud: DemoCloud, narrator: Narrator): Promise<void> {
  narrator.say(
    'demo',
    'a real guest under QEMU and libvirt, Nova API by Novella, volumes as sparse files; no simulation',
  );
  await cloud.start();
  const { openstack, standalone } = cloud;
  const startedIn = (standalone.startedIn / 1000).toFixed(1);
  narrator.say('nova', `serves at ${standalone.apiUrl}, ${startedIn} s after its start (Postgres included)`);
  const server = await cloud.bootServer();
  const volume = await cloud.attachVolume(server);

  narrator.say('demo', 'POST os-extend: 1 GiB -> 2 GiB');
  const growing = watchGrowth(await cloud.growthWatch(server, volume, 2), LIMIT);
  const answer = await openstack.extendVolume(volume, 2);
  if (answer !== 202) throw new Error(`Cinder answered ${answer}`);
  sayGrown(narrator, 2, await growing);

  narrator.say('demo', 'POST os-extend twice at once: 2 GiB -> 3 GiB');
  const again = watchGrowth(await cloud.growthWatch(server, volume, 3), LIMIT);
  const answers = await Promise.all([openstack.extendVolume(volume, 3), openstack.extendVolume(volume, 3)]);
  narrator.say('cinder', `answered ${answers.join(' and ')}: a volume that grows already is not taken twice`);
  if (!answers.includes(202)) throw new Error('Cinder took none of the two');
  sayGrown(narrator, 3, await again);
  await sayActions(openstack, server.id, narrator);
}

const sayGrown = (narrator: Narrator, size: number, ms: number) =>
  narrator.say('demo', `the guest sees ${size} GiB, ${ms.toFixed(0)} ms after Cinder said so`);

async function sayActions(openstack: OpenStack, server: string, narrator: Narrator): Promise<void> {
  for (const { action, request_id } of (await openstack.actions(server)).reverse()) {
    if (action !== 'extend_volume') continue;
    const events = () => openstack.actionEvents(server, request_id);
    await until(20, LIMIT, async () => (await events()).every(({ result }) => result !== null));
    const [event] = await events();
    narrator.say('nova', `instance action ${action} (${request_id}): ${event?.result ?? 'no event'}`);
    if (event?.result !== 'Success') throw new Error('an extend did not end well');
  }
}

const narrator = new Narrator((line) => process.stdout.write(line));
const cloud = new DemoCloud(narrator);
let well = true;
try {
  await demo(cloud, narrator);
} catch (error) {
  process.stderr.write(`${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
  well = false;
}
if (!(await cloud.close())) well = false;
narrator.say('demo', well ? 'done; nothing is left running' : 'failed');
process.exitCode = well ? 0 : 1;
