import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { ProjectId, VolumeId } from '@novella/core';
import { answer, fault, hangUp, type ScriptedPeer, startScriptedPeer, virtualClock } from '@novella/testing';
import type { OpenStackAccess } from '@novella/service-kit';
import { type ServiceCinder, serviceCinder } from './service-cinder.js';

const VOLUME = '99999999-8888-4777-8666-555555555555' as VolumeId;
const OWNER = 'aaaa' as ProjectId;
const OWN_PROJECT = 'd'.repeat(32);
const NOT_THERE = fault(404, 'itemNotFound', `Volume ${VOLUME} could not be found.`);
const silent = { debug() {}, info() {}, warn() {}, error() {} };

let cinder: ScriptedPeer;
let keystone: ScriptedPeer;
let service: ServiceCinder | null;
beforeEach(async () => {
  cinder = await startScriptedPeer();
  keystone = await startScriptedPeer();
});
afterEach(async () => {
  await service?.close();
  await Promise.all([cinder.close(), keystone.close()]);
});

const open = (access: OpenStackAccess): ServiceCinder => {
  service = serviceCinder(access, { clock: virtualClock(), log: silent });
  return service;
};
const withKeystone = (cinderEndpoint: string | null = null): ServiceCinder =>
  open({
    kind: 'keystone',
    keystone: {
      authUrl: keystone.endpoint,
      credentials: { kind: 'application-credential', id: 'nova', secret: 'secret' },
      endpoints: { interfaces: ['internal'], region: null },
    },
    cinderEndpoint,
  });
const issued = (id: string) => {
  const url = `${cinder.endpoint}/${OWN_PROJECT}`;
  const token = {
    user: { id: 'nova' },
    project: { id: OWN_PROJECT },
    issued_at: '2026-01-01T00:00:00.000000Z',
    expires_at: '2026-01-01T01:00:00.000000Z',
    catalog: [
      { type: 'volumev3', endpoints: [{ interface: 'internal', url }] },
      { type: 'image', endpoints: [{ interface: 'internal', url: 'http://glance:9292' }] },
    ],
  };
  return answer(201, { token }, { 'X-Subject-Token': id });
};
const shown = () =>
  cinder.requests.map(({ path, headers }) => [path, headers['x-auth-token'], headers['x-service-token']]);
const ask = (from: ServiceCinder, project: ProjectId | null) => from.inProject(project).getVolume(VOLUME);

describe("the conductor's Cinder", () => {
  it.each([
    ['an owner', OWNER, OWNER],
    ['all projects', null, 'service'],
  ])('without Keystone is asked in the name of an administrator for %s', async (_, project, named) => {
    const opened = open({ kind: 'noauth2', cinderEndpoint: cinder.endpoint });
    cinder.script(NOT_THERE);
    await expect(ask(opened, project)).rejects.toMatchObject({ code: 'volume-not-found' });
    expect(shown()).toEqual([[`/v3/${named}/volumes/${VOLUME}`, `admin:${named}`, undefined]]);
    expect(opened.trouble).toBeNull();
  });

  it('with Keystone is asked as ourselves, where the catalog says, whoever owns the volume', async () => {
    const opened = withKeystone();
    keystone.script(issued('own-1'));
    cinder.script(NOT_THERE, NOT_THERE);
    await expect(ask(opened, OWNER)).rejects.toMatchObject({ code: 'volume-not-found' });
    await expect(ask(opened, null)).rejects.toMatchObject({ code: 'volume-not-found' });
    const call = [`/v3/${OWN_PROJECT}/volumes/${VOLUME}`, 'own-1', 'own-1'];
    expect(shown()).toEqual([call, call]);
    expect(keystone.requests).toHaveLength(1);
  });

  it('is asked once more with a new token when it refuses the old one', async () => {
    const opened = withKeystone();
    keystone.script(issued('own-1'), issued('own-2'));
    cinder.script(fault(401, 'unauthorized', 'No.'), NOT_THERE);
    await expect(ask(opened, OWNER)).rejects.toMatchObject({ code: 'volume-not-found' });
    expect(shown().map(([, token]) => token)).toEqual(['own-1', 'own-2']);
  });

  it('is where the settings say, when they say so', async () => {
    const opened = withKeystone(`${new URL(cinder.endpoint).origin}/given/v3`);
    keystone.script(issued('own-1'));
    cinder.script(NOT_THERE);
    await expect(ask(opened, OWNER)).rejects.toMatchObject({ code: 'volume-not-found' });
    expect(shown()).toEqual([[`/given/v3/${OWN_PROJECT}/volumes/${VOLUME}`, 'own-1', 'own-1']]);
  });

  it('is as good as away while Keystone is, and the health knows why', async () => {
    const opened = withKeystone();
    keystone.script(hangUp, hangUp, hangUp, hangUp);
    await expect(ask(opened, OWNER)).rejects.toMatchObject({ code: 'cinder-unreachable' });
    await expect(opened.trouble?.()).rejects.toMatchObject({ code: 'keystone-unreachable' });
    keystone.script(issued('own-1'));
    expect(await opened.trouble?.()).toBeNull();
  });

  it('knows of the Glance in the catalog, where there is a catalog', async () => {
    expect(open({ kind: 'noauth2', cinderEndpoint: cinder.endpoint }).glanceEndpoint).toBeNull();
    const opened = withKeystone();
    keystone.script(issued('own-1'));
    expect(await opened.glanceEndpoint?.()).toBe('http://glance:9292');
  });
});
