import { describe, expect, it } from '@jest/globals';
import { connectorProperties } from './connector-properties.js';

const reader = (files: Record<string, string>) => (path: string) => Promise.resolve(files[path] ?? null);

describe('connectorProperties', () => {
  it('tells host, address and platform of a host that has nothing else', async () => {
    expect(await connectorProperties({ host: 'compute-1', ip: '192.0.2.7' }, reader({}), 'x86_64')).toEqual({
      platform: 'x86_64',
      os_type: 'linux',
      ip: '192.0.2.7',
      host: 'compute-1',
      multipath: false,
      enforce_multipath: false,
      do_local_attach: false,
      nvme_native_multipath: false,
    });
  });

  it('adds what the host has, under the names that os-brick uses', async () => {
    const files = {
      '/etc/iscsi/initiatorname.iscsi': '# InitiatorName=old\nInitiatorName=iqn.1993-08.org.debian:01:abc\n',
      '/etc/nvme/hostnqn': 'nqn.2014-08.org.nvmexpress:uuid:1\n',
      '/etc/nvme/hostid': '1\n',
      '/sys/class/dmi/id/product_uuid': 'AB-CD\n',
      '/sys/module/nvme_core/parameters/multipath': 'Y\n',
    };
    expect(await connectorProperties({ host: 'a', ip: '::1' }, reader(files), 'aarch64')).toMatchObject({
      initiator: 'iqn.1993-08.org.debian:01:abc',
      nqn: 'nqn.2014-08.org.nvmexpress:uuid:1',
      nvme_hostid: '1',
      'system uuid': 'AB-CD',
      nvme_native_multipath: true,
    });
  });

  it('leaves out what is there but empty', async () => {
    const files = { '/etc/iscsi/initiatorname.iscsi': 'InitiatorName=\n', '/etc/nvme/hostnqn': '\n' };
    const properties = await connectorProperties({ host: 'a', ip: '::1' }, reader(files));
    expect(Object.keys(properties)).not.toEqual(expect.arrayContaining(['initiator']));
    expect(Object.keys(properties)).not.toEqual(expect.arrayContaining(['nqn']));
  });
});
