import { readFile } from 'node:fs/promises';
import { z } from 'zod';

const account = z.record(z.string(), z.string());

/** What stories know of the deployment they run against: where everything is, and as whom to ask. No more than a user and an operator know. */
export const deploymentFacts = z.object({
  folder: z.string(),
  /** Steers what a story may break: the ways between the services, and Keystone. */
  control: z.url(),
  /** What OpenStack's clients read from the environment. */
  admin: account,
  demo: account,
  identityUrl: z.url(),
  computeUrl: z.url(),
  volumeUrl: z.url(),
  imageUrl: z.url(),
  hosts: z.array(
    z.object({ name: z.string(), libvirtSocket: z.string(), stateDir: z.string(), health: z.url(), log: z.string() }),
  ),
  images: z.object({ virtio: z.string(), scsi: z.string(), io: z.string(), disk: z.string().nullable() }),
  volumesDir: z.string(),
  ceph: z.object({ configFile: z.string(), pool: z.string(), user: z.string() }).nullable(),
  databaseUrl: z.string(),
  /** Parts that were told to be left out. */
  skipped: z.array(z.string()),
});
export type DeploymentFacts = z.output<typeof deploymentFacts>;

/** Names the file with the facts, for the processes that the deployment starts. */
export const FACTS_FILE = 'NOVELLA_TEST_DEPLOYMENT';

export async function readFacts(): Promise<DeploymentFacts> {
  const file = process.env[FACTS_FILE];
  if (file === undefined) throw new Error('these stories need a deployment: npm run test:openstack');
  return deploymentFacts.parse(JSON.parse(await readFile(file, 'utf8')));
}
