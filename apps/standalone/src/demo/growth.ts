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
  const { narrator, wanted } = watch;
  const seen = (
    speaker: 'cinder' | 'host' | 'hypervisor',
    every: number,
    read: () => Promise<number | null>,
    text: string,
  ) =>
    until(every, signal, async () => ((await read()) ?? 0) >= wanted).then(() => {
      narrator.say(speaker, text.replace('%', inGib(wanted)));
      return performance.now();
    });
  const cinder = async () => {
    const { size, status } = await watch.openstack.volume(watch.volume);
    return status === 'in-use' ? size * 2 ** 30 : null;
  };
  const [cinderAt, , , guestAt] = await Promise.all([
    seen('cinder', 10, cinder, 'the volume is in-use and has %'),
    seen('host', 5, async () => (await stat(watch.path)).size, 'the file has %'),
    seen('hypervisor', 20, watch.hypervisorBytes, 'QEMU shows the guest %'),
    watch.guestSays(wanted).then((line) => {
      narrator.say('guest', line);
      return performance.now();
    }),
  ]);
  return guestAt - cinderAt;
}

export async function until(everyMs: number, signal: AbortSignal, condition: () => Promise<boolean>): Promise<void> {
  while (!(await condition())) {
    signal.throwIfAborted();
    await new Promise((resolve) => setTimeout(resolve, everyMs));
  }
}
