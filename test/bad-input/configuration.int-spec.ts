import 'reflect-metadata';
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createServer } from 'node:net';
import { once } from 'node:events';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { ConfigError, type Environment, readConfig } from '@novella/service-kit';
import { temporaryDirectory } from '@novella/testing';
import { StandaloneConfig } from '../../apps/standalone/src/standalone.config.js';

const RIGHT = { NOVELLA_AUTH_STRATEGY: 'noauth2', NOVELLA_CINDER_ENDPOINT: 'http://127.0.0.1:8776/v3' };

function faultsOf(env: Environment): string[] {
  try {
    readConfig(StandaloneConfig, env);
    return [];
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return error.faults.map(({ key }) => key);
  }
}

describe('the settings of the standalone process', () => {
  it('are right with the two that have no default', () => {
    expect(faultsOf({ ...RIGHT, NOVELLA_HOST: 'host-1' })).toEqual([]);
  });

  it.each<[string, Environment]>([
    ['NOVELLA_API_LISTEN', { NOVELLA_API_LISTEN: '0.0.0.0' }],
    ['NOVELLA_API_LISTEN', { NOVELLA_API_LISTEN: '127.nova.example.org' }],
    ['NOVELLA_API_LISTEN', { NOVELLA_API_LISTEN: '::' }],
    ['NOVELLA_API_HEADERS_TIMEOUT_S', { NOVELLA_API_HEADERS_TIMEOUT_S: '0' }],
    ['NOVELLA_API_KEEP_ALIVE_S', { NOVELLA_API_KEEP_ALIVE_S: '1.5' }],
    ['NOVELLA_API_MAX_BODY_BYTES', { NOVELLA_API_MAX_BODY_BYTES: '112K' }],
    ['NOVELLA_API_MAX_BODY_BYTES', { NOVELLA_API_MAX_BODY_BYTES: '0' }],
    ['NOVELLA_API_MAX_CONNECTIONS', { NOVELLA_API_MAX_CONNECTIONS: '-1' }],
    ['NOVELLA_API_MAX_HEADER_BYTES', { NOVELLA_API_MAX_HEADER_BYTES: '100' }],
    ['NOVELLA_API_REQUEST_TIMEOUT_S', { NOVELLA_API_REQUEST_TIMEOUT_S: 'never' }],
    ['NOVELLA_API_PORT', { NOVELLA_API_PORT: '70000' }],
    ['NOVELLA_API_PORT', { NOVELLA_API_PORT: '-1' }],
    ['NOVELLA_API_PORT', { NOVELLA_API_PORT: '80.5' }],
    ['NOVELLA_API_PORT', { NOVELLA_API_PORT: 'http' }],
    ['NOVELLA_AUTH_STRATEGY', { NOVELLA_AUTH_STRATEGY: '' }],
    ['NOVELLA_AUTH_STRATEGY', { NOVELLA_AUTH_STRATEGY: 'none' }],
    ['NOVELLA_AUTH_STRATEGY', { NOVELLA_AUTH_STRATEGY: 'keystone' }],
    ['NOVELLA_AUTH_STRATEGY', { NOVELLA_KEYSTONE_AUTH_URL: 'http://127.0.0.1:5000/v3' }],
    ['NOVELLA_CINDER_ENDPOINT', { NOVELLA_CINDER_ENDPOINT: '' }],
    ['NOVELLA_CINDER_ENDPOINT', { NOVELLA_CINDER_ENDPOINT: '127.0.0.1:8776' }],
    ['NOVELLA_CINDER_ENDPOINT', { NOVELLA_CINDER_ENDPOINT: 'ftp://cinder/v3' }],
    ['NOVELLA_DATABASE_URL', { NOVELLA_DATABASE_URL: 'mysql://root@127.0.0.1/nova' }],
    ['NOVELLA_HOST', { NOVELLA_HOST: 'host/1' }],
    ['NOVELLA_IMAGES_DIR', { NOVELLA_IMAGES_DIR: 'images' }],
    ['NOVELLA_LIBVIRT_DOMAIN_TYPE', { NOVELLA_LIBVIRT_DOMAIN_TYPE: 'xen' }],
    ['NOVELLA_LIBVIRT_SOCKET', { NOVELLA_LIBVIRT_SOCKET: 'qemu:///system' }],
    ['NOVELLA_LOG_LEVEL', { NOVELLA_LOG_LEVEL: 'loud' }],
    ['NOVELLA_NOAUTH_ANYWHERE', { NOVELLA_NOAUTH_ANYWHERE: 'perhaps' }],
    ['NOVELLA_STATE_DIR', { NOVELLA_STATE_DIR: './state' }],
    ['NOVELLA_VIRT_DRIVER', { NOVELLA_VIRT_DRIVER: 'hyperv' }],
    ['NOVELLA_VOLUME_ROOTS', { NOVELLA_VOLUME_ROOTS: '/var/lib/cinder,volumes' }],
    ['NOVELLA_VOLUME_ROOTS', { NOVELLA_VOLUME_ROOTS: ',' }],
  ])('have one fault, %s, with %j', (key, env) => {
    expect(faultsOf({ ...RIGHT, NOVELLA_HOST: 'host-1', ...env })).toEqual([key]);
  });

  it('let noauth2 listen on other addresses when told so', () => {
    const anywhere = { NOVELLA_API_LISTEN: '0.0.0.0', NOVELLA_NOAUTH_ANYWHERE: 'true', NOVELLA_HOST: 'host-1' };
    expect(faultsOf({ ...RIGHT, ...anywhere })).toEqual([]);
  });
});

/** The real main.ts in a process of its own, with no other settings than these. */
async function run(env: Environment): Promise<{ code: unknown; stdout: string; stderr: string }> {
  return new Promise((resolve) => {
    const argv = ['--import', join(import.meta.dirname, 'typescript.mjs'), 'apps/standalone/src/main.ts'];
    const options = {
      cwd: join(import.meta.dirname, '..', '..'),
      env: { PATH: '/usr/bin:/bin', ...env },
      timeout: 60_000,
    };
    execFile(process.execPath, argv, options, (error, stdout, stderr) => {
      resolve({ code: error?.code ?? 0, stdout, stderr });
    });
  });
}

describe('the standalone process', () => {
  it('says all that is wrong at once, shows no secret, exits with 2 and has made nothing', async () => {
    await using dir = await temporaryDirectory();
    const stateDir = join(dir.path, 'state');
    const { code, stdout, stderr } = await run({
      NOVELLA_STATE_DIR: stateDir,
      NOVELLA_VIRT_DRIVER: 'xen',
      NOVELLA_IMAGES_DIR: 'images',
      NOVELLA_API_PORT: '70000',
      NOVELLA_API_LISTEN: '0.0.0.0',
      NOVELLA_DATABASE_URL: 'mysql://root:hunter2@127.0.0.1/nova',
    });
    expect(code).toBe(2);
    const named = [...stderr.matchAll(/^ {2}(NOVELLA_\w+)/gm)].map(([, key]) => key);
    expect(named).toEqual([
      'NOVELLA_API_LISTEN',
      'NOVELLA_API_PORT',
      'NOVELLA_AUTH_STRATEGY',
      'NOVELLA_CINDER_ENDPOINT',
      'NOVELLA_DATABASE_URL',
      'NOVELLA_IMAGES_DIR',
      'NOVELLA_VIRT_DRIVER',
    ]);
    expect(stderr).not.toContain('hunter2');
    expect([stdout, existsSync(stateDir)]).toEqual(['', false]);
  });

  it.each<[string, (dir: string, port: number) => Environment, string]>([
    ['libvirt that is not there', (dir) => ({ NOVELLA_LIBVIRT_SOCKET: join(dir, 'none') }), 'hypervisor-unreachable'],
    [
      'a database that is not there',
      (_, port) => ({ NOVELLA_VIRT_DRIVER: 'fake', NOVELLA_DATABASE_URL: `postgres://127.0.0.1:${port}/nova` }),
      'database-unreachable',
    ],
  ])('ends with 1 and the reason for %s', async (_, settings, reason) => {
    await using dir = await temporaryDirectory();
    const closed = createServer().listen(0, '127.0.0.1');
    await once(closed, 'listening');
    const { port } = closed.address() as { port: number };
    closed.close();
    const { code, stdout, stderr } = await run({
      ...RIGHT,
      NOVELLA_HOST: 'host-1',
      NOVELLA_STATE_DIR: join(dir.path, 'state'),
      ...settings(dir.path, port),
    });
    expect(code).toBe(1);
    expect(stdout).not.toContain('serving');
    expect(stderr).toContain(reason);
  });
});
