import 'reflect-metadata';
import { describe, expect, it } from '@jest/globals';
import { readConfig } from '@novella/service-kit';
import { ComputeConfig } from '../../../apps/compute/src/compute.config.js';
import { ConductorConfig } from '../../../apps/conductor/src/conductor.config.js';
import { NovaApiAppConfig } from '../../../apps/nova-api/src/nova-api-app.config.js';
import { Page } from './page.js';
import { serviceSpecs } from './settings.js';

const CONFIGS = { 'nova-api': NovaApiAppConfig, conductor: ConductorConfig, compute: ComputeConfig };
const page = await Page.read();

describe('what docs/openstack.md says', () => {
  it('is accepted by each program', () => {
    const specs = serviceSpecs(page, {
      ports: { api: 8774, conductor: 8791, hosts: [8792], images: 8793 },
      hosts: [{ name: 'host-1', libvirtSocket: '/run/libvirt/libvirt-sock', stateDir: '/var/lib/novella' }],
      databaseUrl: 'postgres://novella:secret@127.0.0.1/novella',
      brokerUrl: (user) => `amqp://${user}:secret@127.0.0.1:5672/novella`,
      identityUrl: 'http://127.0.0.1:5000/v3',
      region: 'RegionOne',
      servicePassword: 'secret',
      fixedKey: 'ab'.repeat(32),
      volumeRoots: ['/var/lib/cinder'],
      cephConfig: null,
    });
    expect(specs.map(({ name }) => name)).toEqual(['nova-api', 'conductor', 'host-1']);
    const read = specs.map(({ app, environment }) => {
      const Config: new () => object = CONFIGS[app];
      return readConfig(Config, environment);
    });
    expect(read).toMatchObject([
      { authStrategy: 'keystone', keystonePassword: 'secret', port: 8774 },
      { authStrategy: 'keystone', imageServerUrl: 'http://127.0.0.1:8793', name: 'conductor' },
      { host: 'host-1', domainType: 'qemu' },
    ]);
  });

  it('is not taken where it leaves something open, or says something else than was thought', () => {
    expect(() => page.settings('nova-api.env', [])).toThrow('nothing stands for');
    expect(() => page.block('nova-api.env', [['NOVELLA_COLOUR', '']])).toThrow('has no NOVELLA_COLOUR');
    expect(() => page.block('neutron.conf', [])).toThrow('no block neutron.conf');
  });

  it('has the commands for Keystone, and Cinder as who tells of growth', () => {
    const commands = page.commands('keystone', [
      ['NOVA_PASSWORD', 'secret'],
      ['http://controller:8774', 'http://nova'],
    ]);
    expect(commands).toContainEqual(['role', 'add', '--project', 'service', '--user', 'nova', 'service']);
    const cinder = page.block('cinder.conf', [
      ['controller', 'here'],
      ['CINDER_PASSWORD', 'secret'],
    ]);
    expect(cinder).toMatch(/^\[nova\]\nauth_type = password\nauth_url = http:\/\/here:5000\/v3$/m);
  });
});
