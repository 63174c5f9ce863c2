import { FakeDriver, type FakeHypervisor, hostFiles, serveFakeHypervisor } from '@novella/virt';
import type { Ledger } from './ledger.js';

/** Room for every guest of a run on each host. */
const CAPACITY = { vcpus: 4_096, memoryMib: 2 ** 20 };

export interface HypervisorOptions {
  readonly host: string;
  readonly socketPath: string;
  /** Writes down each change of a size, whoever asked for it. */
  readonly ledger: Pick<Ledger, 'changes'>;
  /** The second resize of one disk, and all of it after that, are answered as if they were done. */
  readonly lies: boolean;
}

/**
 * The hypervisor of one host. It is in this process, as guests are in the hardware of a host: no kill of a compute ends
 * it, and what it sees is seen from outside of all that is tested.
 */
export async function startHypervisor({ host, socketPath, ledger, lies }: HypervisorOptions): Promise<FakeHypervisor> {
  const driver = new FakeDriver({ ...hostFiles, hypervisor: { hostname: host, ...CAPACITY } });
  driver.onResize(({ server, volume, from, to }) => {
    if (from !== to) ledger.changes.push({ server, volume, fromBytes: from, toBytes: to, at: Date.now() });
  });
  if (lies) lieAboutOneDisk(driver);
  return serveFakeHypervisor({ socketPath, driver });
}

function lieAboutOneDisk(driver: FakeDriver): void {
  const { liveResize } = driver;
  let victim: string | null = null;
  Object.assign(driver, {
    liveResize: {
      resizeDisk: (...[server, volume, size]: Parameters<typeof liveResize.resizeDisk>) => {
        if (victim === volume) return Promise.resolve(size);
        victim ??= volume;
        return liveResize.resizeDisk(server, volume, size);
      },
    },
  });
}
