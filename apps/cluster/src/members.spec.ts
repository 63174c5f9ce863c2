import { describe, expect, it } from '@jest/globals';
import { execFileSync } from 'node:child_process';
import { cloudsYaml, environment } from './client-files.js';
import { everybody, TOKEN } from './identity.js';
import { type ClusterFacts, members } from './members.js';
import { parseOptions } from './options.js';
import type { StateFolder } from './state-folder.js';

const folder: StateFolder = {
  path: '/state',
  broker: '/state/broker',
  passwords: '/state/broker/passwords.json',
  definitions: '/state/broker/definitions.json',
  postgres: '/state/postgres',
  cinder: '/state/cinder',
  images: '/state/images',
  environmentFile: '/state/cluster.env',
  clouds: '/state/clouds.yaml',
  log: (member) => `/state/logs/${member}.log`,
  host: (name) => ({
    state: `/state/hosts/${name}/state`,
    libvirt: `/state/hosts/${name}/libvirt`,
    fake: `/state/hosts/${name}/fake`,
  }),
};

function facts(...words: string[]): ClusterFacts {
  const parsed = parseOptions(words, { isRoot: true, stateHome: undefined });
  if (parsed.kind !== 'run') throw new Error('not to run');
  const names = ['conductor-1', 'conductor-2', 'compute-1', 'compute-2', 'compute-3'];
  return {
    options: parsed.options,
    folder,
    ports: { api: 8774, cinder: 8776, health: new Map(names.map((name, index) => [name, 9_000 + index])) },
    identity: everybody,
    databaseUrl: 'postgres://novella@127.0.0.1:5432/postgres',
    brokerUrl: (user) => `amqp://${user}:secret-of-${user}@127.0.0.1:5672/`,
  };
}
const all = (...words: string[]) => members(facts(...words)).flat();
const named = (name: string, ...words: string[]) => all(...words).find((member) => member.name === name)?.environment;

describe('the members of the cluster', () => {
  it('are started in two groups: the hosts after those whom they report to', () => {
    expect(members(facts()).map((group) => group.map(({ name }) => name))).toEqual([
      ['cinder-dev', 'nova-api', 'conductor-1', 'conductor-2'],
      ['compute-1', 'compute-2', 'compute-3'],
    ]);
  });

  it('have no address of their own in common', () => {
    expect(new Set(all().map(({ health }) => health)).size).toBe(7);
  });

  it('that are hosts know the broker by a user of their own, and neither database, Cinder nor identity', () => {
    const host = named('compute-2');
    expect(host?.['NOVELLA_BROKER_URLS']).toContain('compute-compute-2:secret-of-compute-compute-2@');
    expect(Object.keys(host ?? {}).filter((key) => /DATABASE|CINDER_ENDPOINT|AUTH/.test(key))).toEqual([]);
  });

  it('have a state and a hypervisor for each host', () => {
    const of = (key: string) => ['compute-1', 'compute-2'].map((name) => named(name)?.[key]);
    expect(of('NOVELLA_STATE_DIR')).toEqual(['/state/hosts/compute-1/state', '/state/hosts/compute-2/state']);
    expect(of('NOVELLA_LIBVIRT_SOCKET')).toEqual([
      '/state/hosts/compute-1/libvirt/run/libvirt-sock',
      '/state/hosts/compute-2/libvirt/run/libvirt-sock',
    ]);
  });

  it('have a hypervisor in memory for each host that outlives its compute, when there is no libvirt', () => {
    const of = (...words: string[]) =>
      ['compute-1', 'compute-2'].map((name) => named(name, ...words)?.['NOVELLA_FAKE_HYPERVISOR_SOCKET']);
    expect(of('--driver', 'fake')).toEqual([
      '/state/hosts/compute-1/fake/hypervisor.sock',
      '/state/hosts/compute-2/fake/hypervisor.sock',
    ]);
    expect(of()).toEqual([undefined, undefined]);
  });

  it('use another Cinder when there is one, and start none', () => {
    const words = ['--cinder', 'http://10.0.0.9:8776/v3', '--volume-roots', '/var/lib/cinder,/dev'];
    expect(all(...words).map(({ name }) => name)).not.toContain('cinder-dev');
    expect(named('conductor-1', ...words)?.['NOVELLA_CINDER_ENDPOINT']).toBe('http://10.0.0.9:8776/v3');
    expect(named('compute-1', ...words)?.['NOVELLA_VOLUME_ROOTS']).toBe('/var/lib/cinder,/dev');
  });
});

describe('with a Keystone', () => {
  const words = ['--cinder', 'http://10.0.0.9:8776/v3', '--volume-roots', '/dev', '--keystone', 'http://ks:5000/v3'];
  const known = { NOVELLA_AUTH_STRATEGY: 'keystone', NOVELLA_KEYSTONE_PASSWORD: 'hunter2' };
  const withKeystone = (): ClusterFacts => ({
    ...facts(...words, '--keystone-password-file', '/etc/nova.password'),
    identity: { ...everybody, environment: known },
  });

  it('nova-api and the conductors prove themselves to it, and hosts know nothing of it', () => {
    const environments = members(withKeystone()).map((group) => group.map(({ environment }) => environment));
    expect(environments[0]).toEqual([
      expect.objectContaining(known),
      expect.objectContaining(known),
      expect.objectContaining(known),
    ]);
    expect(JSON.stringify(environments[1])).not.toMatch(/KEYSTONE|hunter2/);
  });

  it('clients ask it for their tokens', () => {
    const yaml = cloudsYaml({ ...withKeystone(), image: 'x' });
    expect(yaml).toContain('auth_url: http://ks:5000/v3\n');
    expect(yaml).toContain('password: "hunter2"\n');
    expect(environment({ ...withKeystone(), image: 'x' })).not.toContain('TOKEN');
  });
});

describe('what clients are given', () => {
  const image = '6f1f6a2e-0a5e-4a52-9d0e-3c1a5b1d0003';

  it('can be read by a shell, whatever stands in it', () => {
    const text = environment({ ...facts(), image, databaseUrl: "postgres://a'b$c@h/d" });
    const script = `${text}printf '%s\\n' "$NOVA" "$CINDER" "$TOKEN" "$IMAGE" "$NOVELLA_DATABASE_URL"`;
    const said = execFileSync('sh', ['-c', script], { encoding: 'utf8' }).trim().split('\n');
    const project = TOKEN.split(':')[1] ?? '';
    expect(said).toEqual([
      'http://127.0.0.1:8774/v2.1',
      `http://127.0.0.1:8776/v3/${project}`,
      TOKEN,
      image,
      "postgres://a'b$c@h/d",
    ]);
  });

  it('has the project in the address of the volumes, as openstackclient cannot put it there without a Keystone', () => {
    const yaml = cloudsYaml({ ...facts(), image });
    expect(yaml).toContain(`volume_endpoint_override: http://127.0.0.1:8776/v3/${TOKEN.split(':')[1] ?? ''}\n`);
    expect(yaml).toContain(`token: ${TOKEN}\n`);
  });
});
