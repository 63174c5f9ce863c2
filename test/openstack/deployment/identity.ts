import { type KeystoneProject, type KeystoneUser, PrivateKeystone } from '@novella/testing';
import type { OpenStackCommands } from './commands.js';
import type { Page } from './page.js';

/** Who there is before Novella is: the administrator, a user without rights of one, and the other services' own users. */
export interface Identity {
  readonly keystone: PrivateKeystone;
  readonly admin: Account;
  readonly demo: Account;
  /** Users `cinder` and `glance` of project `service`, each with the role admin. */
  readonly services: Readonly<Record<ServiceUser, Account>>;
}
export interface Account {
  readonly user: KeystoneUser;
  readonly project: KeystoneProject;
}
export type ServiceUser = 'cinder' | 'glance';

/** `public` is for users, `internal` for the services among each other, which may be another way to the same. */
export interface Endpoints {
  readonly compute: { readonly public: string; readonly internal: string };
  readonly volume: { readonly public: string; readonly internal: string };
  readonly image: string;
}

/** Of all services' users. */
export const SERVICE_ACCOUNT = { password: 'of-a-service', project: 'service' };

/** Keystone with users, roles and the catalog as an OpenStack without Nova has them. */
export async function startIdentity(port: number, endpoints: Endpoints): Promise<Identity> {
  const keystone = await PrivateKeystone.start({ port });
  try {
    return await fill(keystone, endpoints);
  } catch (error) {
    await keystone.stop();
    throw error;
  }
}

async function fill(keystone: PrivateKeystone, { volume, image }: Endpoints): Promise<Identity> {
  const service = await keystone.createProject(SERVICE_ACCOUNT.project);
  const project = await keystone.createProject('demo');
  const serviceUser = async (name: ServiceUser): Promise<Account> => {
    const user = await keystone.createUser(name, SERVICE_ACCOUNT);
    await keystone.grant(user, { project: service }, 'admin');
    return { user, project: service };
  };
  const ofVolume = (url: string) => `${url}/v3/%(project_id)s`;
  const volumes = both({ public: ofVolume(volume.public), internal: ofVolume(volume.internal) });
  await keystone.createService('volumev3', 'cinderv3', volumes);
  // Newer clients look for the type without a version.
  await keystone.createService('block-storage', 'cinder', volumes);
  await keystone.createService('image', 'glance', image);
  return {
    keystone,
    admin: await keystone.admin(),
    demo: { user: await keystone.createUserIn(project, 'demo', 'member'), project },
    services: {
      cinder: await serviceUser('cinder'),
      glance: await serviceUser('glance'),
    },
  };
}

/** Step 3 of docs/openstack.md. */
export async function addNovella(
  page: Page,
  { keystone, admin }: Identity,
  { compute }: Endpoints,
  commands: Pick<OpenStackCommands, 'run'>,
): Promise<void> {
  const environment = keystone.environment(admin.user, admin.project);
  const steps = page.commands('keystone', [
    ['NOVA_PASSWORD', SERVICE_ACCOUNT.password],
    ['RegionOne', keystone.region],
    // Here others go another way to Novella than its users.
    ['compute internal http://controller:8774/v2.1', `compute internal ${compute.internal}`],
    ['compute admin http://controller:8774/v2.1', `compute admin ${compute.internal}`],
    ['http://controller:8774/v2.1', compute.public],
  ]);
  for (const words of steps) {
    const { code, stderr } = await commands.run(words, environment);
    if (code !== 0) throw new Error(`openstack ${words.join(' ')}: ${stderr}`);
  }
}

const both = (urls: { readonly public: string; readonly internal: string }) => ({ ...urls, admin: urls.internal });
