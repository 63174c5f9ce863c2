import { describe, expect, it } from '@jest/globals';
import { splitSecrets } from './split-secrets.js';

const CHAP = { auth_method: 'CHAP', auth_username: 'iqn-user', auth_password: 'open sesame' };

describe('splitSecrets', () => {
  it.each<[string, unknown, unknown, unknown]>([
    [
      'CHAP in data',
      { driver_volume_type: 'iscsi', data: { target_lun: 1, ...CHAP, discovery_auth_password: 'shalom' } },
      { driver_volume_type: 'iscsi', data: { target_lun: 1, auth_method: 'CHAP', auth_username: 'iqn-user' } },
      { auth_password: 'open sesame', discovery_auth_password: 'shalom' },
    ],
    [
      'CHAP without a level of its own',
      { driver_volume_type: 'iscsi', target_lun: 1, ...CHAP },
      { driver_volume_type: 'iscsi', target_lun: 1, auth_method: 'CHAP', auth_username: 'iqn-user' },
      { auth_password: 'open sesame' },
    ],
    [
      'cephx: names of secrets stay',
      { driver_volume_type: 'rbd', data: { secret_type: 'ceph', secret_uuid: 'u', keyring: '[client] key = k' } },
      { driver_volume_type: 'rbd', data: { secret_type: 'ceph', secret_uuid: 'u' } },
      { keyring: '[client] key = k' },
    ],
    [
      'keys of an encrypted volume',
      { driver_volume_type: 'local', data: { encrypted: true, encryption_key_id: 'id', encryption_key: 'aa' } },
      { driver_volume_type: 'local', data: { encrypted: true, encryption_key_id: 'id' } },
      { encryption_key: 'aa' },
    ],
    [
      'ScaleIO',
      { driver_volume_type: 'scaleio', data: { serverUsername: 'u', serverPassword: 'p', serverToken: 't' } },
      { driver_volume_type: 'scaleio', data: { serverUsername: 'u' } },
      { serverPassword: 'p', serverToken: 't' },
    ],
    [
      'a secret that is no text',
      { driver_volume_type: 'x', data: { private_key: { n: 1 } } },
      { driver_volume_type: 'x', data: {} },
      { private_key: '{"n":1}' },
    ],
    [
      'secrets that are empty',
      { driver_volume_type: 'iscsi', data: { auth_password: null, discovery_auth_password: '' } },
      { driver_volume_type: 'iscsi', data: {} },
      null,
    ],
    [
      'no secret',
      { driver_volume_type: 'local', data: { device_path: '/dev/loop0' } },
      { driver_volume_type: 'local', data: { device_path: '/dev/loop0' } },
      null,
    ],
    ['nothing', {}, {}, null],
    ['no object', 'local', 'local', null],
    ['null', null, null, null],
    ['data that is no object', { driver_volume_type: 'x', data: 'y' }, { driver_volume_type: 'x', data: 'y' }, null],
  ])('%s', (_, given, info, secret) => {
    expect(splitSecrets(given)).toEqual({ info, secret });
  });
});
