import { randomUUID } from 'node:crypto';
import { beforeEach, describe, expect, it } from '@jest/globals';
import type { ServerId, VolumeId } from '@novella/core';
import { LIBVIRT_ERROR, type LibvirtClient, LibvirtError, type SecretRef } from '@novella/libvirt';
import type { VolumeDisk } from './domain-read.js';
import type { GuestDisk, VolumeKey } from './driver.js';
import { LibvirtSecrets } from './libvirt-secrets.js';

const SERVER = '5e50e500-0000-4000-8000-000000000001' as ServerId;
const OTHER_SERVER = '5e50e500-0000-4000-8000-000000000002' as ServerId;
const VOLUME = '70100000-0000-4000-8000-000000000001' as VolumeId;
const OTHER = '70100000-0000-4000-8000-000000000002' as VolumeId;
const OPERATORS = '457eb676-33da-42ec-9a8c-9293d545c337';

interface Held extends SecretRef {
  readonly xml: string;
  value: string | null;
}

/** The part of libvirtd that keeps secrets. */
class SecretDriver {
  readonly held: Held[] = [];
  /** Every call ends with this error. */
  fails: LibvirtError | null = null;

  call(name: string, args: Record<string, unknown>): Promise<unknown> {
    if (this.fails !== null) return Promise.reject(this.fails);
    const one = (matches: (secret: Held) => boolean) => {
      const secret = this.held.find(matches);
      return secret === undefined ? Promise.reject(refusal('noSecret', name)) : Promise.resolve({ secret });
    };
    switch (name) {
      case 'connectListAllSecrets':
        return Promise.resolve({ secrets: [...this.held], count: this.held.length });
      case 'secretLookupByUuid':
        return one(({ uuid }) => uuid === args['uuid']);
      case 'secretLookupByUsage':
        return one(({ usageType, usageId }) => usageType === args['usageType'] && usageId === args['usageId']);
      case 'secretDefineXml':
        return Promise.resolve({ secret: this.define(String(args['xml'])) });
      case 'secretSetValue':
        return one(({ uuid }) => uuid === uuidOf(args)).then(({ secret }) => {
          secret.value = (args['value'] as Buffer).toString('utf8');
        });
      case 'secretUndefine':
        return one(({ uuid }) => uuid === uuidOf(args)).then(({ secret }) => {
          this.held.splice(this.held.indexOf(secret), 1);
        });
      default:
        return Promise.reject(new Error(`no call ${name} here`));
    }
  }

  define(xml: string, uuid: string = randomUUID()): Held {
    const [, usageId = ''] = /<(?:name|volume)>(.*)<\/(?:name|volume)>/.exec(xml) ?? [];
    const secret = { uuid, usageType: xml.includes('<volume>') ? 1 : 2, usageId, xml, value: null };
    this.held.push(secret);
    return secret;
  }
}

const uuidOf = (args: Record<string, unknown>): string => (args['secret'] as SecretRef).uuid;
const refusal = (code: keyof typeof LIBVIRT_ERROR, procedure: string): LibvirtError =>
  new LibvirtError(LIBVIRT_ERROR[code], 30, code, procedure);

const onCeph = (volume: VolumeId, secretUuid: string | null = null): GuestDisk => ({
  volume,
  source: {
    kind: 'network',
    path: `volumes/${volume}`,
    monitors: [{ host: '10.0.0.1', port: 6789 }],
    auth: { username: 'cinder', secretUuid },
    discard: false,
  },
  format: 'raw',
  device: 'vdb',
  bus: 'virtio',
  shareable: false,
  readOnly: false,
});
const key = (volume: VolumeId, text = 'key', purpose: VolumeKey['purpose'] = 'cephx'): VolumeKey => ({
  volume,
  purpose,
  value: Buffer.from(text),
});
const usage = (volume: VolumeId, server = SERVER): string => `novella ${server} ${volume} cephx`;

describe('secrets of disks in libvirt', () => {
  let driver: SecretDriver;
  let secrets: LibvirtSecrets;
  beforeEach(() => {
    driver = new SecretDriver();
    secrets = new LibvirtSecrets(driver as unknown as LibvirtClient);
  });

  it('are made for each disk that has a key, in memory alone and for QEMU alone', async () => {
    const file = { ...onCeph(OTHER), source: { kind: 'file', path: '/volumes/one' } } as const;
    expect(await secrets.provide(SERVER, [onCeph(VOLUME), file], [key(VOLUME)])).toEqual(
      new Map([[VOLUME, { cephx: { usage: usage(VOLUME) } }]]),
    );
    expect(driver.held).toMatchObject([
      {
        xml: `<secret ephemeral='yes' private='yes'><usage type='ceph'><name>${usage(VOLUME)}</name></usage></secret>`,
        value: 'key',
      },
    ]);
  });

  it('are two for an encrypted image: one for the cluster, one for what is in it', async () => {
    const disk = { ...onCeph(VOLUME, OPERATORS), format: 'luks' } as const;
    driver.define('<secret><name>client.cinder</name></secret>', OPERATORS);
    expect(await secrets.provide(SERVER, [disk], [key(VOLUME), key(VOLUME, 'phrase', 'luks')])).toEqual(
      new Map([[VOLUME, { cephx: { uuid: OPERATORS }, luks: { usage: `novella ${SERVER} ${VOLUME} luks` } }]]),
    );
    const usage = `<usage type='volume'><volume>novella ${SERVER} ${VOLUME} luks</volume></usage>`;
    expect(driver.held[1]).toMatchObject({
      xml: `<secret ephemeral='yes' private='yes'>${usage}</secret>`,
      value: 'phrase',
    });
    await expect(secrets.provide(SERVER, [disk], [key(VOLUME)])).rejects.toMatchObject({ code: 'volume-key-missing' });
    await secrets.remove(SERVER, VOLUME);
    expect(driver.held).toMatchObject([{ uuid: OPERATORS }]);
  });

  it('are made once, and have the newest key', async () => {
    await secrets.provide(SERVER, [onCeph(VOLUME)], [key(VOLUME, 'old')]);
    await secrets.provide(SERVER, [onCeph(VOLUME)], [key(VOLUME, 'new')]);
    expect(driver.held).toMatchObject([{ usageId: usage(VOLUME), value: 'new' }]);
  });

  it('of an operator are used as they are, whatever key came', async () => {
    driver.define('<secret><name>client.cinder</name></secret>', OPERATORS).value = "the operator's";
    expect(await secrets.provide(SERVER, [onCeph(VOLUME, OPERATORS)], [key(VOLUME)])).toEqual(
      new Map([[VOLUME, { cephx: { uuid: OPERATORS } }]]),
    );
    expect(driver.held).toMatchObject([{ uuid: OPERATORS, value: "the operator's" }]);
  });

  it('are our own when the operator has given libvirt none of that uuid', async () => {
    expect(await secrets.provide(SERVER, [onCeph(VOLUME, OPERATORS)], [key(VOLUME)])).toEqual(
      new Map([[VOLUME, { cephx: { usage: usage(VOLUME) } }]]),
    );
  });

  it('are missed when there is neither', async () => {
    const provided = secrets.provide(SERVER, [onCeph(VOLUME, OPERATORS)], [key(OTHER)]);
    await expect(provided).rejects.toMatchObject({ code: 'volume-key-missing', facts: { volume: VOLUME } });
  });

  it('are not asked for by a disk of a cluster that lets everybody in', async () => {
    driver.fails = refusal('noSupport', 'any');
    const { source, ...rest } = onCeph(VOLUME);
    const open = { ...rest, source: { ...source, auth: null } } as GuestDisk;
    expect(await secrets.provide(SERVER, [open], [])).toEqual(new Map());
  });

  it('are made anew before a start, those that the definition names', async () => {
    const named = { volume: VOLUME, secretUsages: [usage(VOLUME)] } as unknown as VolumeDisk;
    const byUuid = { volume: OTHER, secretUsages: [] } as unknown as VolumeDisk;
    await secrets.renew(SERVER, [named, byUuid], [key(VOLUME), key(OTHER)]);
    expect(driver.held).toMatchObject([{ usageId: usage(VOLUME), value: 'key' }]);
  });

  it('go with their disk, or with their server, and no other', async () => {
    driver.define('<secret><name>client.cinder</name></secret>', OPERATORS);
    for (const server of [SERVER, OTHER_SERVER]) {
      await secrets.provide(server, [onCeph(VOLUME), onCeph(OTHER)], [key(VOLUME), key(OTHER)]);
    }
    await secrets.remove(SERVER, VOLUME);
    const others = ['client.cinder', usage(VOLUME, OTHER_SERVER), usage(OTHER, OTHER_SERVER)];
    expect(driver.held.map(({ usageId }) => usageId).sort()).toEqual([...others, usage(OTHER)].sort());
    await secrets.remove(SERVER);
    await secrets.remove(SERVER);
    expect(driver.held.map(({ usageId }) => usageId).sort()).toEqual(others.sort());
  });

  it.each(['noSupport', 'systemError'] as const)('are gone where libvirt keeps none (%s)', async (why) => {
    driver.fails = refusal(why, 'connectListAllSecrets');
    await secrets.remove(SERVER);
  });

  it('are not called gone when libvirt fails to say which there are', async () => {
    driver.fails = refusal('internal', 'connectListAllSecrets');
    await expect(secrets.remove(SERVER)).rejects.toBeInstanceOf(LibvirtError);
  });
});
