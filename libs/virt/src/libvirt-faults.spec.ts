import { describe, expect, it } from '@jest/globals';
import { LibvirtError } from '@novella/libvirt';
import { isDeviceGone, isUnplugUnderWay, translated } from './libvirt-faults.js';

const error = (code: number, message: string): LibvirtError => new LibvirtError(code, 10, message, 'domainBlockResize');

describe('translated', () => {
  it.each([
    [42, 'Domain not found: no domain with matching uuid', 'domain-not-found'],
    [1, "internal error: unable to execute QEMU command 'block_resize': Cannot grow device files", 'disk-cannot-grow'],
    [1, "internal error: unable to execute QEMU command 'block_resize': Device '(null)' is in use", 'guest-busy'],
    [1, "internal error: unable to execute QEMU command 'device_del': Hot-unplug failed: guest is busy", 'guest-busy'],
    [68, 'Timed out during operation: cannot acquire state change lock (held by monitor)', 'guest-busy'],
    [83, "disk 'vdb' already in active block job", 'guest-busy'],
    [55, 'Requested operation is not valid: domain is not running', 'hypervisor-refused'],
  ])('turns %i (%s) into %s', async (code, message, expected) => {
    const cause = error(code, message);
    await expect(translated({ server: 's' }, () => Promise.reject(cause))).rejects.toMatchObject({
      code: expected,
      facts: { server: 's', procedure: 'domainBlockResize', libvirtCode: code },
      cause,
    });
  });

  it('lets every other error through', async () => {
    const other = new TypeError('x');
    await expect(translated({}, () => Promise.reject(other))).rejects.toBe(other);
  });
});

describe('what a detach is told', () => {
  it.each([
    [99, 'device not found: no target device vdb', true, false],
    [9, 'operation failed: disk vdb not found', true, false],
    [9, 'operation failed: multiple devices matching', false, false],
    [1, 'Device virtio-disk1 is already in the process of unplug', false, true],
    [1, 'internal error: something else', false, false],
  ])('%i, %s', (code, message, gone, underWay) => {
    expect([isDeviceGone(error(code, message)), isUnplugUnderWay(error(code, message))]).toEqual([gone, underWay]);
  });
});
