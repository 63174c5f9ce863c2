import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { jest } from '@jest/globals';
import { startPrivateLibvirtd, waitUntil } from '@novella/testing';
import { virsh } from './conformance/virsh.js';
import { virtDriverConformance } from './conformance/virt-driver.conformance.js';
import { LibvirtDriver } from './libvirt-driver.js';

jest.setTimeout(240_000);

const foreignXml = (uuid: string, name: string): string => `<domain type='qemu'><name>${name}</name><uuid>${uuid}</uuid>
<memory unit='MiB'>64</memory><os><type arch='x86_64' machine='q35'>hvm</type></os></domain>`;

virtDriverConformance('LibvirtDriver', async () => {
  const libvirtd = await startPrivateLibvirtd();
  const { socketPath } = libvirtd;
  // Fewer ports than usual: each costs time at each of many starts.
  const small = { domainType: 'qemu', pciRootPorts: 6 } as const;
  const driver = await LibvirtDriver.open({ socketPath, ...small, stop: { askAgainMs: 200 } });
  return {
    driver,
    async addForeignDomain(uuid, name) {
      const path = join(libvirtd.dir, `${uuid}.xml`);
      await writeFile(path, foreignXml(uuid, name));
      await virsh(libvirtd, 'define', path);
    },
    async powerOff(server) {
      await virsh(libvirtd, 'destroy', server);
    },
    async pause(server) {
      await virsh(libvirtd, 'suspend', server);
    },
    async resume(server) {
      await virsh(libvirtd, 'resume', server);
    },
    async save(server) {
      await virsh(libvirtd, 'managedsave', server);
    },
    async fallAsleep(server) {
      await waitUntil(async () => (await virsh(libvirtd, 'domstate', server)) === 'pmsuspended');
    },
    // Nothing runs in these guests that could listen.
    makeDeaf: () => Promise.resolve(),
    async startBlockJob(server, { device, source }) {
      const copy = ['--format', 'raw', '--transient-job'];
      await virsh(libvirtd, 'blockcopy', server, device, `${source.path}-copy`, ...copy);
      return async () => {
        await virsh(libvirtd, 'blockjob', server, device, '--abort');
      };
    },
    async createQcow2(path, size) {
      await promisify(execFile)('qemu-img', ['create', '-q', '-f', 'qcow2', path, String(size)]);
    },
    async close() {
      await driver.close();
      await libvirtd.stop();
    },
  };
});
