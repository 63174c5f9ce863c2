// The Debian packages that our commands need, by what they are for.
const qemu = { x64: 'qemu-system-x86', arm64: 'qemu-system-arm' }[process.arch] ?? 'qemu-system-x86';

export const PACKAGES = {
  /** Guests, and the initramfs that they boot. */
  base: [
    qemu,
    'qemu-utils',
    'libvirt-daemon-system',
    'libvirt-daemon-driver-qemu',
    'libvirt-clients',
    'util-linux',
    'cpio',
  ],
  /** The real Cinder, which contract tests run against. */
  openstack: ['cinder-api', 'cinder-scheduler', 'cinder-volume', 'python3-cinder'],
};

/** Which of them a command of run.mjs needs. */
export const NEEDED_FOR = {
  demo: ['base'],
  bench: ['base'],
  standalone: ['base'],
  'cinder-dev': [],
  test: ['base', 'openstack'],
  prepare: ['base', 'openstack'],
};

export const packagesFor = (command) => NEEDED_FOR[command].flatMap((set) => PACKAGES[set]);
