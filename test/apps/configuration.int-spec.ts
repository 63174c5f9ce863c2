import 'reflect-metadata';
import { existsSync } from 'node:fs';
import { createServer } from 'node:net';
import { once } from 'node:events';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { ConfigError, type Environment, readConfig } from '@novella/service-kit';
import { temporaryDirectory } from '@novella/testing';
import { ComputeConfig } from '../../apps/compute/src/compute.config.js';
import { ConductorConfig } from '../../apps/conductor/src/conductor.config.js';
import { NovaApiAppConfig } from '../../apps/nova-api/src/nova-api-app.config.js';
import { Program } from './program.js';

const BROKER = { NOVELLA_BROKER_URLS: 'amqp://nova:hunter2@127.0.0.1:5672/' };
const DATABASE = { NOVELLA_DATABASE_URL: 'postgres://nova:hunter2@127.0.0.1/nova' };
const CINDER = { NOVELLA_CINDER_ENDPOINT: 'http://127.0.0.1:8776/v3', NOVELLA_AUTH_STRATEGY: 'noauth2' };

const APPS = {
  'nova-api': { Config: NovaApiAppConfig, least: { ...BROKER, ...DATABASE, ...CINDER } },
  conductor: {
    Config: ConductorConfig,
    least: { ...BROKER, ...DATABASE, ...CINDER, NOVELLA_CONDUCTOR_NAME: 'conductor-1' },
  },
  compute: { Config: ComputeConfig, least: { ...BROKER, NOVELLA_HOST: 'host-1' } },
} as const;
type App = keyof typeof APPS;

const KEYSTONE = { NOVELLA_AUTH_STRATEGY: 'keystone', NOVELLA_KEYSTONE_AUTH_URL: 'http://127.0.0.1:5000/v3' };
const USER = { NOVELLA_KEYSTONE_USERNAME: 'nova', NOVELLA_KEYSTONE_PASSWORD: 'hunter2' };
const APPLICATION_CREDENTIAL = {
  NOVELLA_KEYSTONE_APPLICATION_CREDENTIAL_ID: 'a1b2',
  NOVELLA_KEYSTONE_APPLICATION_CREDENTIAL_SECRET: 'hunter2',
};

function faultsOf(app: App, env: Environment): string[] {
  const Config: new () => object = APPS[app].Config;
  try {
    readConfig(Config, env);
    return [];
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    expect(error.message).not.toContain('hunter2');
    return error.faults.map(({ key }) => key);
  }
}

describe.each(Object.keys(APPS) as App[])('the settings of %s', (app) => {
  it('are right with those that have no default', () => {
    expect(faultsOf(app, APPS[app].least)).toEqual([]);
  });

  it('name each that is missing', () => {
    const own = app === 'compute' ? { NOVELLA_HOST: 'host-1' } : { NOVELLA_CONDUCTOR_NAME: 'conductor-1' };
    const wanted = Object.keys(APPS[app].least).filter((key) => !(key in own));
    expect(faultsOf(app, own)).toEqual(wanted.sort());
  });
});

describe.each(['nova-api', 'conductor'] as const)('the settings of %s about Keystone', (app) => {
  const least = { ...BROKER, ...DATABASE, NOVELLA_CONDUCTOR_NAME: 'conductor-1', ...KEYSTONE };

  it.each<[string, Environment]>([
    ['a user, whose catalog has Cinder', USER],
    ['a user, and a Cinder that is given', { ...USER, NOVELLA_CINDER_ENDPOINT: 'http://127.0.0.1:8776/v3' }],
    ['an application credential', APPLICATION_CREDENTIAL],
    ['an address that others can reach', { ...USER, NOVELLA_API_LISTEN: '0.0.0.0' }],
    [
      'all of it',
      {
        ...USER,
        NOVELLA_KEYSTONE_USER_DOMAIN: 'services',
        NOVELLA_KEYSTONE_PROJECT: 'compute',
        NOVELLA_KEYSTONE_PROJECT_DOMAIN: 'services',
        NOVELLA_KEYSTONE_REGION: 'two',
        NOVELLA_KEYSTONE_INTERFACES: 'public',
        NOVELLA_WWW_AUTHENTICATE_URI: 'https://identity.example/v3',
        NOVELLA_TOKEN_CACHE_TIME_S: '0',
        NOVELLA_SERVICE_TOKEN_ROLES: 'service,admin',
        NOVELLA_SERVICE_TOKEN_ROLES_REQUIRED: 'false',
      },
    ],
  ])('are right with %s', (_, env) => {
    expect(faultsOf(app, { ...least, ...env })).toEqual([]);
  });

  it.each<[string, Environment, string[]]>([
    ['no credentials', {}, ['NOVELLA_KEYSTONE_PASSWORD', 'NOVELLA_KEYSTONE_USERNAME']],
    ['no password', { NOVELLA_KEYSTONE_USERNAME: 'nova' }, ['NOVELLA_KEYSTONE_PASSWORD']],
    [
      'half an application credential',
      { NOVELLA_KEYSTONE_APPLICATION_CREDENTIAL_ID: 'a1b2' },
      ['NOVELLA_KEYSTONE_APPLICATION_CREDENTIAL_SECRET'],
    ],
    ['no URL', { ...USER, NOVELLA_KEYSTONE_AUTH_URL: '' }, ['NOVELLA_KEYSTONE_AUTH_URL']],
    ['another URL', { ...USER, NOVELLA_KEYSTONE_AUTH_URL: 'ldap://127.0.0.1' }, ['NOVELLA_KEYSTONE_AUTH_URL']],
    ['an unknown interface', { ...USER, NOVELLA_KEYSTONE_INTERFACES: 'inside' }, ['NOVELLA_KEYSTONE_INTERFACES']],
    [
      'noauth2 beside it, and other faults',
      { ...CINDER, NOVELLA_BROKER_URLS: 'x' },
      ['NOVELLA_AUTH_STRATEGY', 'NOVELLA_BROKER_URLS'],
    ],
    [
      'noauth2 without a Cinder',
      { NOVELLA_AUTH_STRATEGY: 'noauth2' },
      ['NOVELLA_AUTH_STRATEGY', 'NOVELLA_CINDER_ENDPOINT'],
    ],
  ])('are wrong with %s', (_, env, faults) => {
    expect(faultsOf(app, { ...least, ...env })).toEqual(faults);
  });
});

describe('one wrong setting is one fault', () => {
  it.each<[App, string, string]>([
    ['nova-api', 'NOVELLA_API_LISTEN', '0.0.0.0'],
    ['nova-api', 'NOVELLA_API_LISTEN', '127.nova.example.org'],
    ['nova-api', 'NOVELLA_API_PORT', 'http'],
    ['nova-api', 'NOVELLA_API_LINK_PREFIX', 'api.example'],
    ['nova-api', 'NOVELLA_API_TRUST_FORWARDED', 'yes'],
    ['nova-api', 'NOVELLA_API_MAX_LIMIT', '0'],
    ['nova-api', 'NOVELLA_API_MAX_BODY_BYTES', '1'],
    ['nova-api', 'NOVELLA_API_INSTANCE_PASSWORD', '1'],
    ['nova-api', 'NOVELLA_AUTH_STRATEGY', 'none'],
    ['nova-api', 'NOVELLA_TOKEN_CACHE_TIME_S', '-1'],
    ['nova-api', 'NOVELLA_SERVICE_TOKEN_ROLES', ','],
    ['nova-api', 'NOVELLA_WWW_AUTHENTICATE_URI', 'identity'],
    ['nova-api', 'NOVELLA_BROKER_URLS', 'http://nova:hunter2@10.0.0.1'],
    ['nova-api', 'NOVELLA_BROKER_URLS', ','],
    ['nova-api', 'NOVELLA_BROKER_HEARTBEAT_S', '0'],
    ['nova-api', 'NOVELLA_CINDER_ENDPOINT', 'ftp://cinder'],
    ['nova-api', 'NOVELLA_DATABASE_POOL', '1'],
    ['nova-api', 'NOVELLA_DATABASE_URL', 'mysql://nova:hunter2@db/nova'],
    ['nova-api', 'NOVELLA_GLANCE_ENDPOINT', 'glance:9292'],
    ['nova-api', 'NOVELLA_IMAGES_DIR', 'images'],
    ['nova-api', 'NOVELLA_NOAUTH_ANYWHERE', 'perhaps'],
    ['nova-api', 'NOVELLA_POLICY_DIRS', '/etc/novella/policy.d,policy.d'],
    ['nova-api', 'NOVELLA_POLICY_FILE', 'policy.yaml'],
    ['nova-api', 'NOVELLA_POLICY_NEW_DEFAULTS', 'sometimes'],
    ['nova-api', 'NOVELLA_POLICY_SERVER_CONTENT_TYPE', 'text/plain'],
    ['nova-api', 'NOVELLA_POLICY_SERVER_TIMEOUT_S', '0'],
    ['nova-api', 'NOVELLA_SERVICE_DOWN_TIME_S', '5'],
    ['conductor', 'NOVELLA_CONDUCTOR_NAME', 'one/two'],
    ['conductor', 'NOVELLA_GLANCE_ENDPOINT', 'ftp://glance'],
    ['conductor', 'NOVELLA_HEALTH_PORT', '70000'],
    ['conductor', 'NOVELLA_HEALTH_LISTEN', 'every where'],
    ['conductor', 'NOVELLA_IMAGE_SERVER_KEY', 'hunter2'],
    ['conductor', 'NOVELLA_IMAGE_SERVER_LISTEN', 'every where'],
    ['conductor', 'NOVELLA_IMAGE_SERVER_PORT', '-1'],
    ['conductor', 'NOVELLA_IMAGE_SERVER_URL', 'conductor-1:8793'],
    ['conductor', 'NOVELLA_SHUTDOWN_GRACE_S', 'soon'],
    ['conductor', 'NOVELLA_VERIFY_SENDER', 'no'],
    ['compute', 'NOVELLA_HOST', 'host 1'],
    ['compute', 'NOVELLA_HOST', 'host-1.lock'],
    ['compute', 'NOVELLA_HOST_IP', 'here'],
    ['compute', 'NOVELLA_IMAGE_CACHE_GIB', '-1'],
    ['compute', 'NOVELLA_IMAGE_CACHE_UNUSED_S', 'a day'],
    ['compute', 'NOVELLA_LIBVIRT_DOMAIN_TYPE', 'xen'],
    ['compute', 'NOVELLA_LIBVIRT_SOCKET', 'qemu:///system'],
    ['compute', 'NOVELLA_LOG_LEVEL', 'loud'],
    ['compute', 'NOVELLA_SHUTDOWN_TIMEOUT_S', '-1'],
    ['compute', 'NOVELLA_STATE_DIR', './state'],
    ['compute', 'NOVELLA_VIRT_DRIVER', 'hyperv'],
    ['compute', 'NOVELLA_VOLUME_ROOTS', '/var/lib/cinder,volumes'],
  ])('of %s: %s=%s', (app, key, value) => {
    expect(faultsOf(app, { ...APPS[app].least, [key]: value })).toEqual([key]);
  });

  it('a compute has none for the database, Cinder, Glance or Keystone: it holds no such credential', () => {
    const services = /database|cinder|glance|auth|keystone/i;
    expect(Object.keys(new ComputeConfig()).filter((name) => services.test(name))).toEqual([]);
  });

  it.each([
    ['a Glance', { ...APPS.conductor.least, NOVELLA_GLANCE_ENDPOINT: 'http://127.0.0.1:9292' }],
    ['a Keystone, whose catalog may have one', { ...BROKER, ...DATABASE, ...KEYSTONE, ...USER }],
  ])('a conductor that serves images on all addresses must say at which one it is reached, with %s', (_, glance) => {
    const everywhere = { ...glance, NOVELLA_IMAGE_SERVER_LISTEN: '0.0.0.0' };
    expect(faultsOf('conductor', glance)).toEqual([]);
    expect(faultsOf('conductor', everywhere)).toEqual(['NOVELLA_IMAGE_SERVER_URL']);
    expect(faultsOf('conductor', { ...everywhere, NOVELLA_IMAGE_SERVER_URL: 'https://conductor-1:8793' })).toEqual([]);
  });
});

describe('a program', () => {
  it.each<[App, Readonly<Record<string, string>>, readonly string[]]>([
    [
      'nova-api',
      { NOVELLA_API_PORT: '70000', NOVELLA_DATABASE_URL: 'mysql://nova:hunter2@db' },
      [
        'NOVELLA_API_PORT',
        'NOVELLA_AUTH_STRATEGY',
        'NOVELLA_BROKER_URLS',
        'NOVELLA_CINDER_ENDPOINT',
        'NOVELLA_DATABASE_URL',
      ],
    ],
    [
      'nova-api',
      { ...BROKER, ...DATABASE, ...CINDER, ...KEYSTONE, NOVELLA_AUTH_STRATEGY: 'noauth2', NOVELLA_API_PORT: '70000' },
      ['NOVELLA_API_PORT', 'NOVELLA_AUTH_STRATEGY'],
    ],
    [
      'conductor',
      { ...CINDER, NOVELLA_HEALTH_PORT: 'x', NOVELLA_BROKER_URLS: 'nova:hunter2@broker' },
      ['NOVELLA_BROKER_URLS', 'NOVELLA_DATABASE_URL', 'NOVELLA_HEALTH_PORT'],
    ],
    [
      'compute',
      { NOVELLA_VIRT_DRIVER: 'xen', NOVELLA_HOST: '..' },
      ['NOVELLA_BROKER_URLS', 'NOVELLA_HOST', 'NOVELLA_VIRT_DRIVER'],
    ],
  ])(
    '%s says all that is wrong at once, shows no secret, exits with 2 and opened nothing',
    async (app, env, faults) => {
      await using dir = await temporaryDirectory();
      const stateDir = join(dir.path, 'state');
      const program = new Program(`apps/${app}/src/main.ts`, { ...env, NOVELLA_STATE_DIR: stateDir });
      expect(await program.ended).toEqual({ code: 2, signal: null });
      expect([...program.stderr.matchAll(/^ {2}(NOVELLA_\w+)/gm)].map(([, key]) => key)).toEqual(faults);
      expect(program.stderr).not.toContain('hunter2');
      expect([program.log, existsSync(stateDir)]).toEqual([[], false]);
    },
  );

  it.each<[App, string]>([
    ['nova-api', 'NOVELLA_API_PORT'],
    ['compute', 'NOVELLA_HEALTH_PORT'],
  ])('%s exits with 1 when its port is in use, and names it', async (app, key) => {
    await using dir = await temporaryDirectory();
    const other = createServer().listen(0, '127.0.0.1');
    await once(other, 'listening');
    const { port } = other.address() as { port: number };
    const program = new Program(`apps/${app}/src/main.ts`, {
      ...APPS[app].least,
      NOVELLA_STATE_DIR: dir.path,
      NOVELLA_VIRT_DRIVER: 'fake',
      [key]: String(port),
    });
    const { code } = await program.ended;
    other.close();
    expect(code).toBe(1);
    expect(program.stderr).toContain(`127.0.0.1 port ${port}: the port is in use`);
  });
});
