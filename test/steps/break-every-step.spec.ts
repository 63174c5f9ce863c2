import { describe, expect, it } from '@jest/globals';
import type { VolumeConnector } from '@novella/brick';
import { computeRpc } from '@novella/contracts';
import type { DriverMethod } from '@novella/virt';
import { CacheFiles } from '../../apps/compute/src/images/cache-files.js';
import { InstanceFiles } from '../../apps/compute/src/instance-files.js';
import { Journal } from '../../apps/compute/src/journal.js';
import type { Command, HostFault } from './breakable-worker.js';
import { type Carried, carryOut } from './carry-out.js';
import { SCENARIOS } from './scenarios.js';

const BREAKS = [
  ['an error right before', 'before', 'error'],
  ['an error right after', 'after', 'error'],
  ['the death of the worker right before', 'before', 'death'],
  ['the death of the worker right after', 'after', 'death'],
  ['a repeat of', 'before', 'twice'],
] as const;

/** All calls that were made, and so broken. */
const called = new Set<string>();

describe.each(Object.entries(SCENARIOS) as [Command, Record<string, never>][])('%s', (name, scenarios) => {
  describe.each(Object.keys(scenarios))('%s', (scenario) => {
    const run = (fault: HostFault | null): Promise<Carried> => carryOut(name, scenarios[scenario]!, fault);
    let undisturbed: Promise<Carried> | null = null;

    it('is done at once, and nothing becomes smaller', async () => {
      const clean = await (undisturbed ??= run(null));
      expect(clean).toMatchObject({ tries: 1, fell: [], end: { again: { outcome: {} } } });
      clean.calls.forEach((call) => called.add(call));
    });

    it.each(BREAKS)('comes to the same end with %s any call that it makes', async (what, when, kind) => {
      const clean = await (undisturbed ??= run(null));
      for (const [index, port] of clean.calls.entries()) {
        const { end, fell, resizes, tries } = await run({ call: index + 1, when, kind });
        expect({ what, port, end, fell }).toEqual({ what, port, end: clean.end, fell: [] });
        // Whoever runs the command tells the guest once, unless the test itself repeats the telling.
        const toldBefore = clean.calls.slice(0, when === 'after' ? index + 1 : index).includes('virt.resizeDisk');
        const again = toldBefore ? tries - 1 : 0;
        const repeated = port === 'virt.resizeDisk' && kind === 'twice' ? 1 : 0;
        expect({ what, port, resizes }).toEqual({ what, port, resizes: clean.resizes + again + repeated });
      }
    });

    it('is left to the next worker by one that slept before any of its steps', async () => {
      const clean = await (undisturbed ??= run(null));
      for (const [index, port] of clean.calls.entries()) {
        if (port !== 'journal.check') continue;
        const { end, resizes, afterWaking } = await run({ call: index + 1, when: 'before', kind: 'pause' });
        expect({ index, end, resizes }).toEqual({ index, end: clean.end, resizes: clean.resizes });
        // It only says that it was overtaken.
        expect(afterWaking).toEqual(['conductor.operation_result']);
      }
    });
  });
});

describe('the meter', () => {
  it('has a scenario for each command of the contract', () => {
    const commands = Object.entries(computeRpc.methods).filter(([, { kind }]) => kind === 'cast');
    expect(Object.keys(SCENARIOS).sort()).toEqual(commands.map(([name]) => name).sort());
  });

  it('has broken every call that a flow can make of the journal, files, downloads, the hypervisor and the connector', () => {
    const methodsOf = (port: string, { prototype }: { prototype: object }, but: readonly string[]): string[] =>
      Object.getOwnPropertyNames(prototype)
        .filter((name) => name !== 'constructor' && !but.includes(name))
        .filter((name) => typeof Object.getOwnPropertyDescriptor(prototype, name)?.value === 'function')
        .map((name) => `${port}.${name}`);
    const flows = [
      ...methodsOf('journal', Journal, ['close', 'ownLengths', 'begunReboot']),
      ...methodsOf('files', InstanceFiles, ['folder', 'consolePath']),
      // Discarded is what has failed already: the cache's own spec breaks that.
      ...methodsOf('cacheFiles', CacheFiles, ['discard']),
      'download.open',
      ...CHANGES_GUESTS,
      ...CHANGES_DEVICES,
    ];
    expect(flows.filter((call) => !called.has(call))).toEqual([]);
  });
});

/** What does not only read, by type complete: a new method of the ports does not compile until it is listed. */
const CHANGES_GUESTS = Object.keys({
  'virt.createGuest': true,
  'virt.destroyGuest': true,
  'virt.startGuest': true,
  'virt.stopGuest': true,
  'virt.pauseGuest': true,
  'virt.unpauseGuest': true,
  'virt.suspendGuest': true,
  'virt.resumeGuest': true,
  'virt.attachDisk': true,
  'virt.detachDisk': true,
  'virt.resizeDisk': true,
} satisfies Record<`virt.${Exclude<DriverMethod, 'hypervisor' | 'guests' | 'guest'>}`, true>);
const CHANGES_DEVICES = Object.keys({
  'connector.connect': true,
  'connector.disconnect': true,
  'connector.size': true,
  'connector.overhead': true,
  'connector.rescan': true,
  'connector.grow': true,
  'connector.restore': true,
} satisfies Record<`connector.${Exclude<keyof VolumeConnector, 'isUsable'>}`, true>);
