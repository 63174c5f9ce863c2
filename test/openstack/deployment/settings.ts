import { dirname } from 'node:path';
import type { HostSpec, ServiceSpec } from './novella.js';
import type { Page } from './page.js';

/** What the settings of our services have of this deployment. */
export interface Surroundings {
  readonly ports: {
    readonly api: number;
    readonly conductor: number;
    readonly hosts: readonly number[];
    /** Where the conductor serves images to hosts. */
    readonly images: number;
  };
  readonly hosts: readonly HostSpec[];
  readonly databaseUrl: string;
  /** With the user and password of nova-api, of the conductor, and of each host. */
  readonly brokerUrl: (user: string) => string;
  readonly identityUrl: string;
  readonly region: string;
  readonly servicePassword: string;
  /** Of Cinder's key manager, which the conductor has no other way to. */
  readonly fixedKey: string;
  readonly volumeRoots: readonly string[];
  readonly cephConfig: string | null;
}

/** The settings that docs/openstack.md gives, and what is peculiar here: many services on one machine, guests without KVM. */
export function serviceSpecs(page: Page, around: Surroundings): ServiceSpec[] {
  const { ports, hosts } = around;
  return [
    {
      name: 'nova-api',
      app: 'nova-api',
      environment: {
        ...page.settings('nova-api.env', [
          ...common(around),
          ['amqp://nova-api:NOVA_API_BROKER_PASSWORD@controller:5672/novella', around.brokerUrl('nova-api')],
          ['0.0.0.0', '127.0.0.1'],
          ['8774', String(ports.api)],
        ]),
        // As Cinder here: a token that was revoked is refused at once.
        NOVELLA_TOKEN_CACHE_TIME_S: '0',
      },
      healthUrl: `http://127.0.0.1:${ports.api}/health/ready`,
    },
    {
      name: 'conductor',
      app: 'conductor',
      environment: {
        ...page.settings('conductor.env', [
          ...common(around),
          ['amqp://conductor:CONDUCTOR_BROKER_PASSWORD@controller:5672/novella', around.brokerUrl('conductor')],
          ['http://controller:8793', `http://127.0.0.1:${ports.images}`],
          ['0.0.0.0', '127.0.0.1'],
          ['=controller', '=conductor'],
        ]),
        NOVELLA_IMAGE_SERVER_PORT: String(ports.images),
        NOVELLA_HEALTH_PORT: String(ports.conductor),
        NOVELLA_FIXED_KEY: around.fixedKey,
      },
      healthUrl: readyAt(ports.conductor),
    },
    ...hosts.map((host, n) => compute(page, around, host, ports.hosts[n] ?? 0)),
  ];
}

const common = ({ identityUrl, region, servicePassword, databaseUrl }: Surroundings) =>
  [
    ['http://controller:5000/v3', identityUrl],
    ['RegionOne', region],
    ['NOVA_PASSWORD', servicePassword],
    ['postgres://novella:DATABASE_PASSWORD@controller/novella', databaseUrl],
  ] as const;

function compute(page: Page, around: Surroundings, host: HostSpec, healthPort: number): ServiceSpec {
  const broker = around.brokerUrl(`compute-${host.name}`);
  return {
    name: host.name,
    app: 'compute',
    environment: {
      ...page.settings('compute.env', [
        ['amqp://compute-compute-1:COMPUTE_1_BROKER_PASSWORD@controller:5672/novella', broker],
        ['=compute-1', `=${host.name}`],
        ['192.0.2.11', '127.0.0.1'],
        ['/var/lib/novella', host.stateDir],
        ['/var/lib/cinder', around.volumeRoots.join(',')],
        ['/run/libvirt/libvirt-sock', host.libvirtSocket],
        ['=kvm', '=qemu'],
        ...(around.cephConfig === null ? [] : [['/etc/ceph', dirname(around.cephConfig)] as const]),
      ]),
      NOVELLA_HEALTH_PORT: String(healthPort),
      // Guests here do not listen to the power button.
      NOVELLA_SHUTDOWN_TIMEOUT_S: '1',
    },
    healthUrl: readyAt(healthPort),
  };
}

const readyAt = (port: number): string => `http://127.0.0.1:${port}/health/ready`;
