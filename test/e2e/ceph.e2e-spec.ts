import { execFile } from 'node:child_process';
import { mkdtemp, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, afterEach, beforeAll, describe, expect, it, jest } from '@jest/globals';
import type { VolumeDisk } from '@novella/contracts';
import type { AttachmentId, ConnectionInfoOf, ServerId, VolumeId } from '@novella/core';
import { bytes, parseConnectionInfo } from '@novella/core';
import { seal } from '@novella/sealing';
import { freePort, guestImages, type PrivateCeph, startPrivateCeph, waitUntil } from '@novella/testing';
import { bootSector, OBEYS_POWER_BUTTON, says } from '../../libs/virt/src/conformance/boot-sector.js';
import { CephHost } from './ceph-host.js';

jest.setTimeout(180_000);
const MIB = 2 ** 20;
const PASSPHRASE = 'ab'.repeat(32);
const OPERATORS = '457eb676-33da-42ec-9a8c-9293d545c337';
const SERVER = '5e50e500-0000-4000-8000-0000000000c1' as ServerId;
const OTHER_SERVER = '5e50e500-0000-4000-8000-0000000000c2' as ServerId;

/** Real Ceph with cephx, real libvirt, real guests; what Cinder does to a volume is done with `rbd`. */
describe('volumes in a Ceph cluster', () => {
  let ceph: PrivateCeph;
  /** The host has a configuration and a keyring of the cluster; the other has neither. */
  let host: CephHost;
  let other: CephHost;
  let emptyDir: string;
  let volumes = 0;

  beforeAll(async () => {
    emptyDir = await mkdtemp(join(tmpdir(), 'novella-no-ceph-'));
    ceph = await startPrivateCeph();
    host = await CephHost.start('here', ceph.dir);
    other = await CephHost.start('there', emptyDir);
    const { imageId } = await guestImages();
    expect(await host.build(SERVER, { imageRef: imageId })).toMatchObject({ status: 'built' });
    await host.console(SERVER).ready();
  });
  afterAll(async () => {
    await host.stop();
    await other.stop();
    await ceph.stop();
    await rm(emptyDir, { recursive: true, force: true });
  });
  afterEach(async () => {
    expect(await host.secrets()).toEqual([]);
  });

  interface Kind {
    readonly at?: CephHost;
    readonly of?: Pick<PrivateCeph, 'monitors' | 'client' | 'rbd'>;
    /** The key comes from Cinder with the volume. */
    readonly keyComes?: boolean;
    readonly secretUuid?: string | null;
    readonly shareable?: boolean;
    readonly bus?: 'virtio' | 'scsi';
    /** A disk image that is what the volume has; empty without it. */
    readonly content?: string;
  }

  /** A volume of 64 MiB, or as large as its content, as Cinder gives it to the host. */
  async function newVolume(kind: Kind = {}): Promise<VolumeDisk & { readonly image: string }> {
    const {
      at = host,
      of = ceph,
      keyComes = true,
      secretUuid = null,
      shareable = false,
      bus = 'virtio',
      content,
    } = kind;
    volumes += 1;
    const volume = `a1b2c4${String(volumes).padStart(2, '0')}-0000-4000-8000-000000000001` as VolumeId;
    const attachment = volume.replace('a1b2', 'aaaa') as AttachmentId;
    const image = `volumes/volume-${volume}`;
    // Cinder leaves the exclusive lock out where several may have the volume.
    const features = shareable ? ['--image-feature', 'layering'] : [];
    if (content === undefined) await of.rbd('create', image, '--size', '64M', ...features);
    else await of.rbd('import', '--no-progress', content, image);
    const connection = parseConnectionInfo({
      driver_volume_type: 'rbd',
      data: {
        name: image,
        hosts: of.monitors.map((monitor) => monitor.host),
        ports: of.monitors.map((monitor) => String(monitor.port)),
        cluster_name: 'ceph',
        auth_enabled: true,
        auth_username: of.client.user,
        secret_type: 'ceph',
        secret_uuid: secretUuid,
        volume_id: volume,
        discard: true,
        access_mode: 'rw',
        encrypted: false,
      },
    }) as ConnectionInfoOf<'rbd'>;
    const keyring = `[client.${of.client.user}]\n\tkey = ${of.client.key}\n`;
    const sealedSecret = keyComes ? seal(at.hostKey.publicKey, { keyring }, attachment) : null;
    const device = bus === 'scsi' ? 'sdb' : 'vdb';
    return { volume, attachment, connection, sealedSecret, device, bus, shareable, image };
  }

  /** As Cinder makes an encrypted image: what the guest sees has the whole size, the header comes on top. */
  async function newEncryptedVolume(at: CephHost, mib: number): Promise<VolumeDisk & { readonly image: string }> {
    const content = await newLuksFile(mib);
    const disk = await newVolume({ at, content });
    const secret = { keyring: ceph.client.key, luks_passphrase: PASSPHRASE };
    const sealedSecret = seal(at.hostKey.publicKey, secret, disk.attachment);
    return { ...disk, connection: { ...disk.connection, encrypted: true }, sealedSecret };
  }

  async function newLuksFile(mib: number, folder = emptyDir): Promise<string> {
    const path = join(folder, `luks-${mib}`);
    // Few rounds of its key's derivation, which the emulated guests' host has to do at each opening.
    const options = 'key-secret=k,cipher-alg=aes-256,cipher-mode=xts,ivgen-alg=plain64,iter-time=10';
    const key = ['--object', `secret,id=k,data=${PASSPHRASE}`];
    const create = ['create', '-q', '-f', 'luks', ...key, '-o', options, path, `${mib}M`];
    for (;;) {
      const wentWrong = await promisify(execFile)('qemu-img', create).then(() => null, String);
      if (wentWrong === null) return path;
      // On a busy machine QEMU may find that it had no time at all to measure its speed in.
      if (!wentWrong.includes('accurate CPU usage')) throw new Error(wentWrong);
    }
  }

  const grow = (image: string, mib: number): Promise<string> =>
    ceph.rbd('resize', '--no-progress', image, '--size', `${mib}M`);
  const sizeOf = async (image: string): Promise<number> =>
    (JSON.parse(await ceph.rbd('info', '--format', 'json', image)) as { size: number }).size / MIB;
  const watchersOf = async (image: string): Promise<number> =>
    (JSON.parse(await ceph.rbd('status', '--format', 'json', image)) as { watchers: unknown[] }).watchers.length;
  const grown = (mib: number) => ({ status: 'grown', hostBytes: mib * MIB, guestBytes: mib * MIB });

  it.each(['virtio', 'scsi'] as const)(
    'are attached to a running guest, whose kernel sees them grow, and leave nothing when they are detached: %s',
    async (bus) => {
      const disk = await newVolume({ bus });
      const { volume, image } = disk;
      const attached = await host.carryOut('attach_volume', { server: SERVER, disk });
      expect(attached).toEqual({ status: 'attached', disk: { volume, hostBytes: 64 * MIB, guestBytes: 64 * MIB } });
      await host.console(SERVER).waitForSize(volume, bytes(64 * MIB));
      expect(await watchersOf(image)).toBe(1);
      for (const mib of [128, 192]) {
        await grow(image, mib);
        expect(await host.extend(SERVER, disk, mib)).toEqual(grown(mib));
        expect((await host.console(SERVER).waitForSize(volume, bytes(mib * MIB))).name).toMatch(
          bus === 'scsi' ? /^sd/ : /^vd/,
        );
      }
      expect(await sizeOf(image)).toBe(192);
      expect(await host.carryOut('detach_volume', { server: SERVER, disk })).toEqual({ status: 'detached' });
      await host.console(SERVER).waitForNoDisk(volume);
      expect(await watchersOf(image)).toBe(0);
      expect(await host.virsh('dumpxml', '--inactive', SERVER)).not.toContain(volume);
    },
  );

  it('are opened with a secret that is in the memory of libvirt alone, and that nobody can read there', async () => {
    const disk = await newVolume();
    await host.carryOut('attach_volume', { server: SERVER, disk });
    const [usage] = await host.secrets();
    expect(usage).toBe(`ceph novella ${SERVER} ${disk.volume} cephx`);
    const uuid = (await host.virsh('secret-list')).trim().split(/\s+/)[0] ?? '';
    await expect(host.virsh('secret-get-value', uuid)).rejects.toThrow(/private/);
    await host.libvirtd.restart();
    expect(await host.secrets()).toEqual([]);
    await host.carryOut('detach_volume', { server: SERVER, disk });
  });

  it('are opened with the secret of the operator where libvirt has it, and with the keyring of the host', async () => {
    const xml = join(emptyDir, 'secret.xml');
    const usage = `<usage type='ceph'><name>client.cinder secret</name></usage>`;
    await writeFile(xml, `<secret ephemeral='no' private='no'><uuid>${OPERATORS}</uuid>${usage}</secret>`);
    await host.virsh('secret-define', xml);
    await host.virsh('secret-set-value', OPERATORS, ceph.client.key);
    const disk = await newVolume({ keyComes: false, secretUuid: OPERATORS });
    try {
      expect(await host.carryOut('attach_volume', { server: SERVER, disk })).toMatchObject({ status: 'attached' });
      expect(await host.virsh('dumpxml', SERVER)).toContain(`uuid='${OPERATORS}'`);
      await grow(disk.image, 128);
      expect(await host.extend(SERVER, disk, 128)).toEqual(grown(128));
      expect(await host.carryOut('detach_volume', { server: SERVER, disk })).toEqual({ status: 'detached' });
      expect(await host.secrets()).toEqual(['ceph client.cinder secret']);
    } finally {
      await host.virsh('secret-undefine', OPERATORS);
    }
  });

  it('grow in a guest that is paused', async () => {
    const disk = await newVolume();
    await host.carryOut('attach_volume', { server: SERVER, disk });
    await host.virsh('suspend', SERVER);
    await grow(disk.image, 128);
    expect(await host.extend(SERVER, disk, 128)).toEqual(grown(128));
    await host.virsh('resume', SERVER);
    await host.console(SERVER).waitForSize(disk.volume, bytes(128 * MIB));
    await host.carryOut('detach_volume', { server: SERVER, disk });
  });

  it('are not extended, and keep their length, while Cinder has not grown them', async () => {
    const disk = await newVolume();
    await host.carryOut('attach_volume', { server: SERVER, disk });
    expect(await host.extend(SERVER, disk, 128)).toMatchObject({ error: { code: 'host-device-too-small' } });
    expect([await sizeOf(disk.image), await host.guestBytes(SERVER, disk.volume)]).toEqual([64, 64 * MIB]);
    await host.carryOut('detach_volume', { server: SERVER, disk });
  });

  it('get back what QEMU has cut while Cinder was making them longer still (rule 2.6c)', async () => {
    const disk = await newVolume();
    await host.carryOut('attach_volume', { server: SERVER, disk });
    await grow(disk.image, 128);
    const { liveResize } = host.driver;
    const resizeDisk = liveResize.resizeDisk.bind(liveResize);
    liveResize.resizeDisk = async (server, volume, size) => {
      liveResize.resizeDisk = resizeDisk;
      await grow(disk.image, 192);
      return resizeDisk(server, volume, size);
    };
    expect(await host.extend(SERVER, disk, 128)).toEqual(grown(128));
    expect(await sizeOf(disk.image)).toBe(128);
    expect(await host.extend(SERVER, disk, 192)).toEqual(grown(192));
    expect(await sizeOf(disk.image)).toBe(192);
    await host.carryOut('detach_volume', { server: SERVER, disk });
  });

  it('are booted from, and seen with the size that they have at the next start, also by a libvirtd that knows no secret', async () => {
    const content = join(emptyDir, 'boot');
    await writeFile(content, bootSector([...says('booted from ceph\n'), ...OBEYS_POWER_BUTTON]));
    const disk = await newVolume({ at: other, content });
    const { volume, image } = disk;
    const boot = { volumes: [disk], bootVolume: volume, memoryMib: 64 };
    expect(await other.build(OTHER_SERVER, boot)).toMatchObject({ status: 'built', disks: [{ guestBytes: MIB }] });
    const console = other.console(OTHER_SERVER);
    await waitUntil(async () => (await console.text()).includes('booted from ceph'), { what: 'the guest to boot' });

    const command = { server: OTHER_SERVER, volumes: [disk] };
    expect(await other.carryOut('stop_instance', command)).toMatchObject({ powerState: 'shutdown' });
    expect(await watchersOf(image)).toBe(0);
    await grow(image, 32);
    expect(await other.extend(OTHER_SERVER, disk, 32)).toEqual({ ...grown(32), guestBytes: null });
    await other.libvirtd.restart();
    expect(await other.carryOut('start_instance', command)).toMatchObject({ disks: [{ guestBytes: 32 * MIB }] });

    expect(await other.carryOut('delete_instance', command)).toEqual({ status: 'deleted' });
    expect(await other.guest(OTHER_SERVER)).toBeNull();
    expect([await other.secrets(), await watchersOf(image)]).toEqual([[], 0]);
  });

  it('grow on two hosts that share them, one after the other', async () => {
    const here = await newVolume({ shareable: true });
    const sealedSecret = seal(other.hostKey.publicKey, { keyring: ceph.client.key }, here.attachment);
    const there = { ...here, sealedSecret };
    await host.carryOut('attach_volume', { server: SERVER, disk: here });
    expect(await other.build(OTHER_SERVER, { volumes: [there], memoryMib: 64 })).toMatchObject({ status: 'built' });
    expect(await watchersOf(here.image)).toBe(2);
    await grow(here.image, 128);
    expect(await host.extend(SERVER, here, 128)).toEqual(grown(128));
    expect(await other.guestBytes(OTHER_SERVER, here.volume)).toBe(64 * MIB);
    expect(await other.extend(OTHER_SERVER, there, 128)).toEqual(grown(128));
    await host.console(SERVER).waitForSize(here.volume, bytes(128 * MIB));
    await other.carryOut('delete_instance', { server: OTHER_SERVER, volumes: [there] });
    await host.carryOut('detach_volume', { server: SERVER, disk: here });
    expect(await watchersOf(here.image)).toBe(0);
  });

  it('are decrypted by QEMU, and grow in the guest by what the image has grown, not by its header', async () => {
    const disk = await newEncryptedVolume(host, 64);
    const { volume, image } = disk;
    const overhead = (await sizeOf(image)) * MIB - 64 * MIB;
    expect(overhead).toBeGreaterThan(0);
    const attached = await host.carryOut('attach_volume', { server: SERVER, disk });
    const sizes = { hostBytes: 64 * MIB, guestBytes: 64 * MIB, overheadBytes: overhead };
    expect(attached).toEqual({ status: 'attached', disk: { volume, ...sizes } });
    await host.console(SERVER).waitForSize(volume, bytes(64 * MIB));
    expect(await host.secrets()).toEqual([
      `ceph novella ${SERVER} ${volume} cephx`,
      `volume novella ${SERVER} ${volume} luks`,
    ]);

    await grow(image, 128);
    const seen = 128 * MIB - overhead;
    expect(await host.extend(SERVER, disk, seen / MIB)).toEqual({ ...grown(128), hostBytes: seen, guestBytes: seen });
    await host.console(SERVER).waitForSize(volume, bytes(seen));
    expect(await sizeOf(image)).toBe(128);
    expect(await host.carryOut('detach_volume', { server: SERVER, disk })).toEqual({ status: 'detached' });
    await host.console(SERVER).waitForNoDisk(volume);
  });

  it('are not attached with another pass phrase', async () => {
    const disk = await newEncryptedVolume(host, 65);
    const secret = { keyring: ceph.client.key, luks_passphrase: 'another' };
    const sealedSecret = seal(host.hostKey.publicKey, secret, disk.attachment);
    const outcome = await host.carryOut('attach_volume', { server: SERVER, disk: { ...disk, sealedSecret } });
    expect(outcome).toMatchObject({ status: 'failed', error: { code: 'hypervisor-refused' } });
    expect(JSON.stringify(outcome)).not.toContain('another');
    expect(await host.guestBytes(SERVER, disk.volume)).toBeUndefined();
    await host.carryOut('detach_volume', { server: SERVER, disk });
  });

  it('may be files or block devices just as well when they are encrypted', async () => {
    const path = await newLuksFile(66, host.volumesDir);
    const length = (await stat(path)).size;
    const loop = (await promisify(execFile)('losetup', ['--find', '--show', path])).stdout.trim();
    try {
      for (const devicePath of [path, loop]) {
        const base = await newVolume();
        const data = { device_path: devicePath, encrypted: true };
        const connection = parseConnectionInfo({ driver_volume_type: 'local', data });
        const sealedSecret = seal(host.hostKey.publicKey, { luks_passphrase: PASSPHRASE }, base.attachment);
        const disk = { ...base, connection, sealedSecret };
        const before = (await stat(path)).size - (length - 66 * MIB);
        expect(await host.carryOut('attach_volume', { server: SERVER, disk })).toMatchObject({
          disk: { hostBytes: before, guestBytes: before, overheadBytes: length - 66 * MIB },
        });
        await truncate(path, (await stat(path)).size + 8 * MIB);
        const after = before + 8 * MIB;
        expect(await host.extend(SERVER, disk, after / MIB)).toMatchObject({ hostBytes: after, guestBytes: after });
        await host.console(SERVER).waitForSize(disk.volume, bytes(after));
        await host.carryOut('detach_volume', { server: SERVER, disk });
        // The loop device has not been told of what the file has become under its own name.
        if (devicePath === path) await promisify(execFile)('losetup', ['-c', loop]);
      }
      expect((await stat(path)).size).toBe(length + 16 * MIB);
    } finally {
      await promisify(execFile)('losetup', ['-d', loop]);
    }
  });

  it('grow in a cluster of three monitors on IPv6, of which one is away', async () => {
    const wide = await startPrivateCeph({ monitors: 3, address: '::1' });
    try {
      const away = { host: '::1', port: await freePort() };
      const monitors = [away, ...wide.monitors.slice(1)];
      const seen = { monitors, client: wide.client, rbd: (...words: string[]) => wide.rbd(...words) };
      await other.build(OTHER_SERVER, { memoryMib: 64 });
      const disk = await newVolume({ at: other, of: seen });
      const attached = await other.carryOut('attach_volume', { server: OTHER_SERVER, disk });
      expect(attached).toMatchObject({ status: 'attached', disk: { guestBytes: 64 * MIB } });
      await wide.rbd('resize', '--no-progress', disk.image, '--size', '128M');
      expect(await other.extend(OTHER_SERVER, disk, 128)).toEqual(grown(128));
      expect(await other.carryOut('delete_instance', { server: OTHER_SERVER, volumes: [disk] })).toEqual({
        status: 'deleted',
      });
    } finally {
      await wide.stop();
    }
  });

  it('are not attached when the cluster does not know the key, and leave no disk behind', async () => {
    const stranger = 'AQAZ5gxr7vICEhAA33V9qmp1XCf2aWYqepMLkg==';
    const disk = await newVolume();
    const sealedSecret = seal(host.hostKey.publicKey, { keyring: stranger }, disk.attachment);
    const outcome = await host.carryOut('attach_volume', { server: SERVER, disk: { ...disk, sealedSecret } });
    expect(outcome).toMatchObject({ status: 'failed', error: { code: 'paths-down' } });
    expect(JSON.stringify(outcome)).not.toContain(stranger);
    expect(await host.guestBytes(SERVER, disk.volume)).toBeUndefined();
  });
});
