import { stat } from 'node:fs/promises';
import { inGib, type Narrator } from './narrator.js';
import type { OpenStack } from './openstack.js';

/**
 * Watches one grow from outside, by the means that anybody has: the volume's GET, the file's length, the hypervisor's
 * block information and the guest's console. Each says its new size once.
 */
export interface GrowthWatch {
  readonly volume: string;
  readonly path: string;
  readonly wanted: number;
  readonly openstack: OpenStack;
  readonly hypervisorBytes: () => Promise<number>;
  readonly guestSays: (bytes: number) => Promise<string>;
  readonly narrator: Narrator;
}

/** Resolves when all four have the wanted size; answers the milliseconds from Cinder's word to the guest's line. */
export async function watchGrowth(watch: GrowthWatch, signal: AbortSignal): Promise<number> {
  const { path, hypervisorBytes } = watch;
  const [tookMs] = await Promise.all([
    watchCinderAndGuest(watch, signal),
    seen(watch, signal, { who: 'host', everyMs: 5, says: 'the file has', read: async () => (await stat(path)).size }),
    seen(watch, signal, { who: 'hypervisor', everyMs: 20, says: 'QEMU shows the guest', read: hypervisorBytes }),
  ]);
  return tookMs;
}

/** The same without looking at host and hypervisor, who would be kept from their work while they are measured. */
export async function watchCinderAndGuest(watch: GrowthWatch, signal: AbortSignal): Promise<number> {
  const { narrator, openstack, wanted } = watch;
  const cinderBytes = async () => {
    const { size, status } = await openstack.volume(watch.volume);
    return status === 'in-use' ? size * 2 ** 30 : 0;
  };
  const [cinderAt, guestAt] = await Promise.all([
    seen(watch, signal, { who: 'cinder', everyMs: 10, says: 'the volume is in-use and has', read: cinderBytes }),
    watch.guestSays(wanted).then((line) => {
      narrator.say('guest', line);
      return performance.now();
    }),
  ]);
  return guestAt - cinderAt;
}

interface Look {
  readonly who: 'cinder' | 'host' | 'hypervisor';
  readonly everyMs: number;
  readonly says: string;
  readonly read: () => Promise<number>;
}

async function seen({ wanted, narrator }: GrowthWatch, signal: AbortSignal, look: Look): Promise<number> {
  await until(look.everyMs, signal, async () => (await look.read()) >= wanted);
  narrator.say(look.who, `${look.says} ${inGib(wanted)}`);
  return performance.now();
}

export async function until(everyMs: number, signal: AbortSignal, condition: () => Promise<boolean>): Promise<void> {
  while (!(await condition())) {
    signal.throwIfAborted();
    await new Promise((resolve) => setTimeout(resolve, everyMs));
  }
}
