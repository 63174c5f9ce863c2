import { type KeystoneProject, type KeystoneUser, PrivateKeystone } from '@novella/testing';

/** Who there is in the deployment: the administrator, a user without rights of one, and the services' own users. */
export interface Identity {
  readonly keystone: PrivateKeystone;
  readonly admin: Account;
  readonly demo: Account;
  /** Users `cinder`, `glance` and `nova` of project `service`, each with the roles admin and service. */
  readonly services: Readonly<Record<ServiceUser, Account>>;
}
export interface Account {
  readonly user: KeystoneUser;
  readonly project: KeystoneProject;
}
export type ServiceUser = 'cinder' | 'glance' | 'nova';

/** `public` is for users, `internal` for the services among each other, which may be another way to the same. */
export interface Endpoints {
  readonly compute: { readonly public: string; readonly internal: string };
  readonly volume: { readonly public: string; readonly internal: string };
  readonly image: string | null;
}

/** Of all services' users. */
export const SERVICE_ACCOUNT = { password: 'of-a-service', project: 'service' };

/** Keystone with all users, roles and the catalog that the other services find each other by. */
export async function startIdentity(port: number, endpoints: Endpoints): Promise<Identity> {
  const keystone = await PrivateKeystone.start({ port });
  try {
    return await fill(keystone, endpoints);
  } catch (error) {
    await keystone.stop();
    throw error;
  }
}

async function fill(keystone: PrivateKeystone, { compute, volume, image }: Endpoints): Promise<Identity> {
  const service = await keystone.createProject(SERVICE_ACCOUNT.project);
  const project = await keystone.createProject('demo');
  const serviceUser = async (name: ServiceUser): Promise<Account> => {
    const user = await keystone.createUser(name, SERVICE_ACCOUNT);
    await keystone.grant(user, { project: service }, 'admin', 'service');
    return { user, project: service };
  };
  const ofVolume = (url: string) => `${url}/v3/%(project_id)s`;
  await keystone.createService('compute', 'nova', both(compute));
  const volumes = both({ public: ofVolume(volume.public), internal: ofVolume(volume.internal) });
  await keystone.createService('volumev3', 'cinderv3', volumes);
  // Newer clients look for the type without a version.
  await keystone.createService('block-storage', 'cinder', volumes);
  if (image !== null) await keystone.createService('image', 'glance', image);
  return {
    keystone,
    admin: await keystone.admin(),
    demo: { user: await keystone.createUserIn(project, 'demo', 'member'), project },
    services: {
      cinder: await serviceUser('cinder'),
      glance: await serviceUser('glance'),
      nova: await serviceUser('nova'),
    },
  };
}

const both = (urls: { readonly public: string; readonly internal: string }) => ({ ...urls, admin: urls.internal });
