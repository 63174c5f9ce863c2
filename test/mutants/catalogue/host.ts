import type { Mutant } from '../run-mutants.js';

const COMPUTE = 'apps/compute/src';
const FLOWS = `${COMPUTE}/flows`;
const caughtBy = (spec: string, tests: string): Mutant['caughtBy'] => ({ spec: `${COMPUTE}/${spec}`, tests });

/** What a compute does with commands, and the drivers below it. */
export const HOST_MUTANTS: readonly Mutant[] = [
  {
    name: 'the journal admits stale commands',
    file: `${COMPUTE}/journal.ts`,
    from: "if (fence < this.#highest(scope)) return 'stale';",
    to: '',
    caughtBy: caughtBy('journal.spec.ts', 'calls stale what is lower'),
  },
  {
    name: 'a command is admitted before its fence is on disk',
    file: `${COMPUTE}/journal.ts`,
    from: "await this.#append({ kind: 'fence', ...scope, fence });",
    to: "this.#append({ kind: 'fence', ...scope, fence }).catch(() => undefined);",
    caughtBy: caughtBy('journal.spec.ts', 'admits nothing that it cannot write'),
  },
  {
    name: 'a command for the server does not count against its volumes',
    file: `${COMPUTE}/journal.ts`,
    from: 'return Math.max(ofServer, own);',
    to: 'return own;',
    caughtBy: caughtBy('journal.spec.ts', 'counts a command for the server against all'),
  },
  {
    name: 'a running command that was overtaken goes on',
    file: `${COMPUTE}/journal.ts`,
    from: 'if (fence < highest) {',
    to: 'if (fence < 0) {',
    caughtBy: caughtBy('journal.spec.ts', 'stops a running command at its next check'),
  },
  {
    name: 'commands do not ask the journal',
    file: `${COMPUTE}/commands.ts`,
    from: "if ((await io.journal.admit(scope, token.fence)) === 'stale') return { status: 'stale' };",
    to: '',
    caughtBy: caughtBy('flows/build-delete.spec.ts', 'that a delete has overtaken'),
  },
  {
    name: 'a worker that stood still does not look again before its next step',
    file: `${COMPUTE}/commands.ts`,
    from: '    await io.journal.check(scope, token.fence);\n',
    to: '',
    caughtBy: caughtBy('taken-over.spec.ts', 'does no further step'),
  },
  {
    name: 'a command is acked before its report is confirmed',
    file: `${COMPUTE}/commands.ts`,
    from: 'await io.conductor.operation_result({ host: io.host, token, outcome });',
    to: 'io.conductor.operation_result({ host: io.host, token, outcome }).catch(() => undefined);',
    caughtBy: caughtBy('flows/extend-volume.spec.ts', 'cut off at any step and run again report'),
  },
  {
    name: 'extend: what was asked for is reported instead of what was read back',
    file: `${FLOWS}/extend-volume.ts`,
    from: 'return grown(await volumeSize(io, command), guestBytes, wantedBytes);',
    to: "return { status: 'grown', hostBytes: wantedBytes, guestBytes: wantedBytes };",
    caughtBy: caughtBy('flows/extend-volume.spec.ts', 'when that is more than was wanted|with the size of both'),
  },
  {
    name: 'extend: a guest that sees too little has grown',
    file: `${FLOWS}/extend-volume.ts`,
    from: 'if (guestBytes < wantedBytes) {',
    to: 'if (guestBytes < 0) {',
    caughtBy: caughtBy('flows/extend-volume.spec.ts', 'with the size of both'),
  },
  {
    name: 'extend: a guest is resized to a smaller size',
    file: `${FLOWS}/extend-volume.ts`,
    from: 'guestBytes !== null && guestBytes >= targetBytes;',
    to: 'guestBytes === targetBytes;',
    caughtBy: caughtBy('flows/extend-volume.spec.ts', 'guest larger than it shall see'),
  },
  {
    name: 'extend: a guest that goes on from its saved memory is taken to see what it is shown',
    file: `${FLOWS}/extend-volume.ts`,
    from: 'return shown && seen ?',
    to: 'return shown ?',
    caughtBy: caughtBy('flows/suspend-instance.spec.ts', 'leave it to an extend|without a word to us'),
  },
  {
    name: 'extend: a guest that is off is resized',
    file: `${FLOWS}/extend-volume.ts`,
    from: "if (!live) return { kind: 'next-start' };",
    to: '',
    caughtBy: caughtBy('flows/extend-volume.spec.ts', 'what is left to do for the guest guest off'),
  },
  {
    name: 'extend: a length that QEMU may set is not noted first',
    file: `${COMPUTE}/own-cut.ts`,
    from: '    await io.journal.noteLength(volume.volume, device.path, measured);\n',
    to: '',
    caughtBy: caughtBy('flows/extend-volume.spec.ts', 'gives the size back to the next extend'),
  },
  {
    name: 'libvirt: a disk is resized to a smaller size',
    file: 'libs/virt/src/libvirt-resize.ts',
    from: 'if (size < before) return before;',
    to: '',
    caughtBy: { spec: 'libs/virt/src/libvirt-resize.spec.ts', tests: 'is never told' },
  },
  {
    name: 'libvirt: a guest is not told once more',
    file: 'libs/virt/src/libvirt-resize.ts',
    from: 'if (size < before)',
    to: 'if (size <= before)',
    caughtBy: { spec: 'libs/virt/src/libvirt-resize.spec.ts', tests: 'is told once more' },
  },
  {
    name: 'libvirt: QEMU makes a raw file longer than the host has it',
    file: 'libs/virt/src/libvirt-resize.ts',
    from: 'if (hostBytes < size) {',
    to: 'if (hostBytes < 0) {',
    caughtBy: { spec: 'libs/virt/src/libvirt-resize.spec.ts', tests: 'never has QEMU make a raw' },
  },
  {
    name: 'libvirt: the asked size is taken for the one that is shown',
    file: 'libs/virt/src/libvirt-resize.ts',
    from: 'return io.domains.shownSize(server, disk.device);',
    to: 'return size;',
    caughtBy: { spec: 'libs/virt/src/libvirt-resize.spec.ts', tests: 'is told the new size' },
  },
  {
    name: 'detach: what the guest still holds is called detached',
    file: `${FLOWS}/detach-volume.ts`,
    from: '  if (await hasDisk()) {',
    to: '  if (false) {',
    caughtBy: caughtBy('flows/attach-detach.spec.ts', 'does not call detached'),
  },
  {
    name: 'delete: what is still there is called deleted',
    file: `${FLOWS}/delete-instance.ts`,
    from: 'if ((await io.virt.guest(server)) !== null) {',
    to: 'if (false) {',
    caughtBy: caughtBy('flows/build-delete.spec.ts', 'does not call deleted'),
  },
];
