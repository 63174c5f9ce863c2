import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { waitUntil } from '@novella/testing';
import { type Client, Clients } from './clients.js';
import { OpenStackCloud } from './openstack-cloud.js';

const LIMIT = 300_000;
const STEP_LIMIT = 120_000;

let cloud: OpenStackCloud;
const people = {} as Record<'alice' | 'root' | 'mallory', Clients>;

beforeAll(async () => {
  cloud = await OpenStackCloud.start();
  const other = await cloud.keystone.createProject('other');
  const [alice, root, mallory] = await Promise.all([
    cloud.user('alice', 'member'),
    cloud.user('root', 'admin'),
    cloud.keystone.createUserIn(other, 'mallory', 'member'),
  ]);
  [people.alice, people.root, people.mallory] = await Promise.all([
    Clients.of(cloud.keystone.environment(alice, cloud.demo)),
    Clients.of(cloud.keystone.environment(root, cloud.demo)),
    Clients.of(cloud.keystone.environment(mallory, other)),
  ]);
}, LIMIT);
afterAll(async () => {
  await Promise.all(Object.values(people).map((each) => each.close()));
  await cloud.stop();
}, LIMIT);

type Line = readonly [title: string, run: () => Promise<void>];

/** The lines below are typed one after the other; `as` is who types them. */
const as = (who: keyof typeof people) => {
  const openstack = (words: string) => people[who].json(words);
  return {
    /** It ends well. */
    does(words: string, client: Client = 'openstack'): Line {
      return [
        `${who}: ${client} ${words}`,
        async () => expect(await people[who].run(client, words)).toMatchObject({ err: '', code: 0 }),
      ];
    },
    /** openstackclient shows this, and maybe more. */
    sees(words: string, what: unknown): Line {
      return [`${who} sees: openstack ${words}`, async () => expect(await openstack(words)).toEqual(what)];
    },
    /** In a while it shows this. */
    willSee(words: string, what: unknown): Line {
      const look = async () => {
        expect(await openstack(words)).toEqual(what);
        return true;
      };
      const wait = { timeout: STEP_LIMIT / 2, every: 200, what: words };
      return [
        `${who} will see: openstack ${words}`,
        async () => {
          await waitUntil(look, wait);
        },
      ];
    },
    /** Another client prints this. */
    reads(client: Client, words: string, text: RegExp): Line {
      return [
        `${who} reads: ${client} ${words}`,
        async () => expect((await people[who].run(client, words)).out).toMatch(text),
      ];
    },
    /** It fails so. */
    mayNot(words: string, why: RegExp, client: Client = 'openstack'): Line {
      return [
        `${who} may not: ${client} ${words}`,
        async () => {
          const { code, err } = await people[who].run(client, words);
          expect(err).toMatch(why);
          expect(code).not.toBe(0);
        },
      ];
    },
    /** openstacksdk's value of the expression. */
    gets(expression: string, value: unknown): Line {
      return [
        `${who}: ${expression.split('\n', 1)[0] ?? ''}`,
        async () => expect(await people[who].sdk(expression)).toEqual(value),
      ];
    },
  };
};
const alice = as('alice');
const root = as('root');
const mallory = as('mallory');

const some = (row: object) => expect.objectContaining(row);
const among = (...rows: object[]) => expect.arrayContaining(rows.map(some));
const exactly = (...rows: object[]) => rows.map(some);

/** The result of the newest action of that name: openstackclient shows no events. */
const resultOf = (action: string) => `(lambda actions: [
  [event['event'], event['result']]
  for event in cloud.compute.get('%s/%s' % (actions, [
    each['request_id'] for each in cloud.compute.get(actions).json()['instanceActions'] if each['action'] == '${action}'
  ][0])).json()['instanceAction']['events']
])('/servers/%s/os-instance-actions' % cloud.compute.find_server('one').id)`;

const SERVER = "cloud.compute.find_server('one').id";
/** The status of an event as Cinder posts it. */
const EVENT = `cloud.compute.post('/os-server-external-events', microversion='2.51', json={'events': [
  {'name': 'volume-extended', 'server_uuid': ${SERVER}, 'tag': cloud.block_storage.find_volume('data').id}
]}).status_code`;
/** Cinder deletes no attachment of a server for its owner: it asks us at 2.89 whether the server uses it. */
const DELETE_ATTACHMENT = `cloud.block_storage.delete('/attachments/%s' % [
  each['attachment_id']
  for each in cloud.compute.get('/servers/%s/os-volume_attachments' % ${SERVER}, microversion='2.89').json()['volumeAttachments']
  if each['device'] == '/dev/vdb'
][0], microversion='3.27').status_code`;

/** What `server event show` asks for, which prints no events of who is no administrator. */
const EVENT_SHOWN = `(lambda actions: (lambda action: [
  action['action'], action['events'][0]['event'], action['events'][0]['result']
])(cloud.compute.get('%s/%s' % (actions, cloud.compute.get(actions).json()['instanceActions'][-1]['request_id']),
  microversion='2.51').json()['instanceAction']))('/servers/%s/os-instance-actions' % ${SERVER})`;

const LINES: Record<string, readonly Line[]> = {
  'what there is': [
    alice.sees('flavor list', among({ ID: '42', Name: 'm1.nano', RAM: 128, VCPUs: 1 })),
    alice.sees('availability zone list --compute', exactly({ 'Zone Name': 'nova', 'Zone Status': 'available' })),
    alice.gets('[f.name for f in cloud.compute.flavors()]', expect.arrayContaining(['m1.nano'])),
    alice.gets('[z.name for z in cloud.compute.availability_zones()]', ['nova']),
    root.sees(
      'compute service list',
      among({ Binary: 'nova-compute', Host: 'compute-1', Status: 'enabled', State: 'up' }),
    ),
    root.sees('hypervisor list', exactly({ 'Hypervisor Hostname': 'compute-1', State: 'up' })),
    root.sees('hypervisor show compute-1', some({ hypervisor_hostname: 'compute-1', state: 'up', status: 'enabled' })),
    root.gets('[h.name for h in cloud.compute.hypervisors()]', ['compute-1']),
    root.sees('availability zone list --compute --long', among({ 'Host Name': 'compute-1', 'Zone Name': 'nova' })),
    alice.mayNot('compute service list', /os_compute_api:os-services:list/),
    alice.mayNot('hypervisor list', /os_compute_api:os-hypervisors:list/),
  ],
  'a server': [
    alice.does('volume create --size 1 --bootable boot'),
    alice.willSee('volume show boot', some({ status: 'available', bootable: 'true' })),
    alice.does('--os-compute-api-version 2.37 server create --volume boot --flavor m1.nano --nic none one'),
    alice.willSee('server show one', some({ status: 'ACTIVE', 'OS-EXT-STS:power_state': 1 })),
    alice.sees('server list', exactly({ Name: 'one', Status: 'ACTIVE', Flavor: 'm1.nano' })),
    alice.sees('--os-compute-api-version 2.92 server list --long', exactly({ Name: 'one', 'Task State': null })),
    alice.does('console log show one'),
    alice.reads('nova', 'list', /\| one +\| ACTIVE +\| - +\| Running/),
    alice.reads('nova', 'show one', /flavor:original_name +\| m1.nano/),
    alice.gets('[s.name for s in cloud.compute.servers()]', ['one']),
    mallory.sees('server list', []),
    mallory.mayNot('server show one', /No server with a name or ID of 'one' exists/),
    root.sees('server list --all-projects', exactly({ Name: 'one' })),
  ],
  'its power': [
    alice.does('server stop one'),
    alice.willSee('server show one', some({ status: 'SHUTOFF', 'OS-EXT-STS:power_state': 4 })),
    alice.mayNot('server reboot one', /HTTP 409/),
    alice.does('server start one'),
    alice.willSee('server show one', some({ status: 'ACTIVE' })),
    alice.does('server reboot one'),
    alice.willSee('server show one', some({ status: 'ACTIVE' })),
    alice.does('reboot --hard one', 'nova'),
    alice.willSee('server show one', some({ status: 'ACTIVE' })),
    alice.sees(
      'server event list one',
      exactly(
        { Action: 'reboot' },
        { Action: 'reboot' },
        { Action: 'start' },
        { Action: 'stop' },
        { Action: 'create' },
      ),
    ),
  ],
  'what is done to it': [
    alice.does('server pause one'),
    alice.willSee('server show one', some({ status: 'PAUSED', 'OS-EXT-STS:power_state': 3 })),
    alice.does('server unpause one'),
    alice.willSee('server show one', some({ status: 'ACTIVE', 'OS-EXT-STS:power_state': 1 })),
    alice.does('server suspend one'),
    alice.willSee('server show one', some({ status: 'SUSPENDED' })),
    alice.does('server resume one'),
    alice.willSee('server show one', some({ status: 'ACTIVE', 'OS-EXT-STS:power_state': 1 })),
    alice.does('server lock one'),
    root.does('server list --all-projects --locked --os-compute-api-version 2.73'),
    alice.does('server unlock one'),
    alice.does('--os-compute-api-version 2.26 server set --name first --property colour=blue --tag web one'),
    alice.sees(
      '--os-compute-api-version 2.26 server show first',
      some({ properties: { colour: 'blue' }, tags: ['web'] }),
    ),
    alice.does('--os-compute-api-version 2.26 server unset --property colour --tag web first'),
    alice.does('--os-compute-api-version 2.19 server set --name one --description "the first one" first'),
    alice.sees(
      '--os-compute-api-version 2.92 server show one',
      some({ name: 'one', description: 'the first one', properties: {}, tags: [], locked: false }),
    ),
    alice.sees('server list --name "^on.$" --status ACTIVE', exactly({ Name: 'one' })),
    alice.sees('server list --name "^two"', []),
    alice.gets(`cloud.compute.get_server_metadata(${SERVER}).metadata`, {}),
    alice.gets(EVENT_SHOWN, ['create', 'compute__do_build_and_run_instance', 'Success']),
  ],
  'key pairs, flavors, limits and services': [
    alice.does('keypair create mine'),
    alice.sees('keypair list', exactly({ Name: 'mine', Type: 'ssh' })),
    alice.sees('keypair show mine', some({ name: 'mine' })),
    alice.does('keypair delete mine'),
    alice.sees('keypair list', []),
    root.does('flavor create --ram 256 --vcpus 2 --disk 0 --property hw:cpu_policy=shared m1.two'),
    alice.sees('flavor show m1.two', some({ ram: 256, vcpus: 2, properties: { 'hw:cpu_policy': 'shared' } })),
    root.does('flavor unset --property hw:cpu_policy m1.two'),
    root.does('flavor delete m1.two'),
    alice.mayNot('flavor delete m1.nano', /os_compute_api:os-flavor-manage:delete/),
    alice.sees('limits show --absolute', among({ Name: 'totalInstancesUsed', Value: 1 })),
    alice.gets('cloud.compute.get_limits().absolute.instances_used', 1),
    root.does('compute service set --disable --disable-reason maintenance compute-1 nova-compute'),
    root.sees('compute service list --long', among({ Status: 'disabled', 'Disabled Reason': 'maintenance' })),
    root.does('compute service set --enable compute-1 nova-compute'),
    root.sees('hypervisor stats show', some({ count: 1, running_vms: 1 })),
    alice.reads('nova', 'availability-zone-list', /\| nova +\| available/),
    alice.reads('nova', 'version-list', /2\.96/),
  ],
  'its volumes': [
    alice.does('volume create --size 1 data'),
    alice.willSee('volume show data', some({ status: 'available' })),
    alice.does('server add volume one data'),
    alice.willSee('volume show data', some({ status: 'in-use' })),
    alice.sees('server volume list one', exactly({ Device: '/dev/vda' }, { Device: '/dev/vdb' })),
    alice.reads('nova', 'volume-attachments one', /\/dev\/vdb/),
    alice.does('--os-volume-api-version 3.42 extend data 2', 'cinder'),
    alice.willSee('server event list one', among({ Action: 'extend_volume' })),
    alice.willSee('volume show data', some({ status: 'in-use', size: 2 })),
    root.gets(resultOf('extend_volume'), [['compute_extend_volume', 'Success']]),
    alice.gets(EVENT, 403),
    alice.gets(DELETE_ATTACHMENT, 409),
    alice.does('server remove volume one data'),
    alice.willSee('volume show data', some({ status: 'available' })),
    alice.sees('server volume list one', exactly({ Device: '/dev/vda' })),
  ],
  'its end': [
    alice.does('server delete one'),
    alice.willSee('server list', []),
    alice.willSee('volume show boot', some({ status: 'available' })),
  ],
};

describe.each(Object.entries(LINES))("OpenStack's clients and %s", (_, lines) => {
  let failed: string | null = null;
  it.each(lines)(
    '%s',
    async (title, run) => {
      // What follows would wait in vain for what has not come about.
      expect(failed).toBeNull();
      failed = title;
      await run();
      failed = null;
    },
    STEP_LIMIT,
  );
});
