import { FakeDriver, FakeGuestFiles, type FakeHypervisor, hostFiles, serveFakeHypervisor } from '@novella/virt';
import { type Infrastructure, takesConnections } from './infrastructure.js';

export const fakeSocket = (dir: string): string => `${dir}/hypervisor.sock`;

/**
 * The hypervisor of one host without QEMU, in this process, so that its guests go on when a compute is killed. They are
 * kept in `dir`, and are as they were when the cluster is started again.
 */
export async function startFakeHypervisor(name: string, dir: string): Promise<Infrastructure> {
  const socketPath = fakeSocket(dir);
  const keep = new FakeGuestFiles(`${dir}/guests`);
  const driver = new FakeDriver({ ...hostFiles, keep, hypervisor: { hostname: name } });
  let served: FakeHypervisor = await serveFakeHypervisor({ socketPath, driver });
  return {
    name: `fake hypervisor of ${name}`,
    answers: () => takesConnections({ path: socketPath }),
    async startAgain() {
      await served.close();
      served = await serveFakeHypervisor({ socketPath, driver });
    },
    stop: () => served.close(),
  };
}
