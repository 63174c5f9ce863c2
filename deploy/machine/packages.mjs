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
  /** The real Keystone: its library, which tests serve themselves; no service comes with it. */
  keystone: ['python3-keystone', 'python3-keystonemiddleware', 'python3-eventlet'],
  /** The real Glance; its daemon's package is not needed. */
  glance: ['python3-glance'],
  /** A Ceph cluster of the tests' own, and QEMU's way into one; none of its services is ever started. */
  ceph: ['ceph-mon', 'ceph-osd', 'ceph-common', 'qemu-block-extra'],
  /** The clients of OpenStack that people use, which are tried against us. */
  clients: ['python3-openstackclient', 'python3-novaclient', 'python3-cinderclient', 'python3-openstacksdk'],
  /** The broker of tests and of the cluster without containers; its own service is never started. */
  rabbitmq: ['rabbitmq-server'],
  /** The peers that wire tests talk to, and that rules are compared with. */
  oslo: ['python3-oslo.messaging', 'python3-oslo.policy'],
  /** The peers' own tests. */
  tempest: ['tempest'],
  /** Disks that a guest boots from by itself, which only PCs can be given so. */
  bootable: process.arch === 'x64' ? ['syslinux', 'mtools'] : [],
};

/** What an OpenStack around Novella is made of, by the names that `test:openstack --skip` takes, and its packages. */
export const OPENSTACK_PARTS = {
  libvirt: ['base', 'bootable'],
  rabbitmq: ['rabbitmq'],
  keystone: ['keystone'],
  cinder: ['openstack'],
  glance: ['glance'],
  ceph: ['ceph'],
  clients: ['clients'],
  tempest: ['tempest'],
};

/** Which of them a command of run.mjs needs. */
export const NEEDED_FOR = {
  demo: ['base'],
  bench: ['base', 'rabbitmq'],
  standalone: ['base'],
  'cinder-dev': [],
  manage: [],
  cluster: ['base', 'rabbitmq'],
  verify: ['rabbitmq'],
  test: ['base', 'openstack', 'keystone', 'glance', 'ceph', 'clients', 'rabbitmq', 'oslo', 'bootable'],
  prepare: ['base', 'openstack', 'keystone', 'glance', 'ceph', 'clients', 'rabbitmq', 'oslo', 'bootable'],
  'test:openstack': [],
};

export const packagesFor = (command) => NEEDED_FOR[command].flatMap((set) => PACKAGES[set]);
