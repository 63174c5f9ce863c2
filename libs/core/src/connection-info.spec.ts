import { describe, expect, it } from '@jest/globals';
import { parseConnectionInfo } from './connection-info.js';

const VOLUME = 'f6d4a1b2-0000-4000-8000-000000000001';
const SECRET = '457eb676-33da-42ec-9a8c-9293d545c337';

/** As Cinder 21 sends it (cinder:volume/drivers/rbd.py, volume/manager.py). */
const RBD = {
  name: `volumes/volume-${VOLUME}`,
  hosts: ['10.0.0.1', '10.0.0.2'],
  ports: ['6789', '6790'],
  cluster_name: 'ceph',
  auth_enabled: true,
  auth_username: 'cinder',
  secret_type: 'ceph',
  secret_uuid: SECRET,
  volume_id: VOLUME,
  discard: true,
  qos_specs: null,
  access_mode: 'rw',
  encrypted: false,
  cacheable: false,
};
const PARSED = {
  protocol: 'rbd',
  format: 'raw',
  pool: 'volumes',
  image: `volume-${VOLUME}`,
  monitors: [
    { host: '10.0.0.1', port: 6789 },
    { host: '10.0.0.2', port: 6790 },
  ],
  cluster: 'ceph',
  auth: { username: 'cinder', secretUuid: SECRET },
  discard: true,
  accessMode: 'rw',
  encrypted: false,
};

const inData = (data: object): unknown => ({ driver_volume_type: 'rbd', data });
const withCode = (code: string): unknown => expect.objectContaining({ code });

describe("a volume on Ceph, from Cinder's connection_info", () => {
  it('is parsed with its fields in `data` and beside the type alike', () => {
    expect(parseConnectionInfo(inData(RBD))).toEqual(PARSED);
    expect(parseConnectionInfo({ driver_volume_type: 'rbd', attachment_id: VOLUME, ...RBD })).toEqual(PARSED);
  });

  it.each<[string, object, object]>([
    [
      'IPv6 with brackets and without, ports as numbers',
      { hosts: ['[fd00::1]', 'fd00::2'], ports: [6789, 6789] },
      {
        monitors: [
          { host: 'fd00::1', port: 6789 },
          { host: 'fd00::2', port: 6789 },
        ],
      },
    ],
    [
      'a monitor by name',
      { hosts: ['mon-a.storage'], ports: ['3300'] },
      { monitors: [{ host: 'mon-a.storage', port: 3300 }] },
    ],
    ['a cluster without cephx', { auth_enabled: false, auth_username: null, secret_uuid: null }, { auth: null }],
    [
      'a user whose secret libvirt does not have',
      { secret_uuid: null },
      { auth: { username: 'cinder', secretUuid: null } },
    ],
    ['an upper-case uuid', { secret_uuid: SECRET.toUpperCase() }, { auth: { username: 'cinder', secretUuid: SECRET } }],
    ['another cluster', { cluster_name: 'backup' }, { cluster: 'backup' }],
    ['no cluster name', { cluster_name: null }, { cluster: 'ceph' }],
    [
      'a read-only attachment of an encrypted volume',
      { access_mode: 'ro', encrypted: true },
      { accessMode: 'ro', encrypted: true },
    ],
    ['nothing of discard', { discard: undefined }, { discard: false }],
  ])('%s', (_, given, parsed) => {
    expect(parseConnectionInfo(inData({ ...RBD, ...given }))).toEqual({ ...PARSED, ...parsed });
  });

  it.each<[string, object]>([
    ['a name without a pool', { name: 'volume-1' }],
    ['a name with a namespace', { name: 'volumes/space/volume-1' }],
    ['an image that a program would take for an option', { name: 'volumes/--pool' }],
    ['a pool with a character that is none of a name', { name: 'vol,umes/volume-1' }],
    ['no monitor', { hosts: [], ports: [] }],
    ['fewer ports than monitors', { ports: ['6789'] }],
    ['a port that is none', { hosts: ['10.0.0.1'], ports: ['70000'] }],
    ['a monitor that would be two', { hosts: ['10.0.0.1,evil'], ports: ['6789'] }],
    ['cephx without a user', { auth_username: null }],
    ['a user that leads out of a folder', { auth_username: '../../root' }],
    ['a cluster that leads out of a folder', { cluster_name: '../x' }],
    ['a secret that is no uuid', { secret_uuid: 'mine' }],
    ['an access mode that nobody knows', { access_mode: 'wo' }],
  ])('is refused for %s', (_, given) => {
    expect(() => parseConnectionInfo(inData({ ...RBD, ...given }))).toThrow(withCode('connection-info-invalid'));
  });

  it('keeps nothing of the key that came with it', () => {
    const parsed = parseConnectionInfo(inData({ ...RBD, keyring: '[client.cinder]\n key = geheim' }));
    expect(JSON.stringify(parsed)).not.toContain('geheim');
  });
});

describe('a volume whose path is on the host', () => {
  it('is raw, writable and not encrypted unless Cinder says so', () => {
    expect(parseConnectionInfo({ driver_volume_type: 'local', data: { device_path: '/dev/loop0' } })).toEqual({
      protocol: 'local',
      devicePath: '/dev/loop0',
      format: 'raw',
      accessMode: 'rw',
      encrypted: false,
    });
  });

  it('is refused with a path that is not absolute', () => {
    const relative = { driver_volume_type: 'local', data: { device_path: 'loop0' } };
    expect(() => parseConnectionInfo(relative)).toThrow(withCode('connection-info-invalid'));
  });
});

it('a volume of a type without connector, or of none, says which', () => {
  expect(() => parseConnectionInfo({ driver_volume_type: 'iscsi', data: {} })).toThrow(
    withCode('connector-unsupported'),
  );
  expect(() => parseConnectionInfo({ driver_volume_type: 'constructor' })).toThrow(withCode('connector-unsupported'));
  expect(() => parseConnectionInfo({})).toThrow(withCode('connection-info-invalid'));
});
