#!/usr/bin/env node
// Makes the guest that tests and the demo boot: Debian's cloud kernel and a busybox initramfs that runs `init`.
// Nothing is installed. Prints where it is, as JSON: { imagesDir, imageId, scsiImageId, kernelPath, initrdPath };
// `imagesDir` is an image directory (libs/image), the ids are its two images that boot the guest.
//   usage: node deploy/guest/build.mjs
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { chmod, copyFile, mkdir, mkdtemp, readFile, readdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { gzipSync } from 'node:zlib';
import { aptUpdate, isRoot } from '../machine/debian.mjs';

const here = dirname(fileURLToPath(import.meta.url));
const ARCH = {
  x64: { kernel: 'linux-image-cloud-amd64', console: 'ttyS0' },
  arm64: { kernel: 'linux-image-cloud-arm64', console: 'ttyAMA0' },
};
/** What the guest needs a driver for; what those depend on is found in the modules themselves. */
const DRIVERS = ['virtio_pci', 'virtio_blk', 'virtio_scsi', 'sd_mod'];
const IMAGES = {
  kernel: '6f1f6a2e-0a5e-4a52-9d0e-3c1a5b1d0001',
  ramdisk: '6f1f6a2e-0a5e-4a52-9d0e-3c1a5b1d0002',
  virtio: '6f1f6a2e-0a5e-4a52-9d0e-3c1a5b1d0003',
  scsi: '6f1f6a2e-0a5e-4a52-9d0e-3c1a5b1d0004',
};
const ABANDONED_MS = 60 * 60 * 1000;

/** Where the guest is; it is built when there is none yet of this script, this init and this architecture. */
export async function guest() {
  const sources = ['build.mjs', 'init'].map((name) => readFile(join(here, name)));
  const hash = createHash('sha256').update(process.arch);
  for (const source of await Promise.all(sources)) hash.update(source);
  const cache = cacheFolder();
  const target = join(cache, `guest-${hash.digest('hex').slice(0, 16)}`);
  if (existsSync(target)) return locations(target);

  await mkdir(cache, { recursive: true });
  await removeAbandoned(cache);
  const work = await mkdtemp(join(cache, '.building-'));
  try {
    await build(work);
    // A process that built the same meanwhile has won, and its folder is as good as ours.
    await rename(join(work, 'guest'), target).catch((error) => {
      if (!existsSync(target)) throw error;
    });
  } finally {
    await rm(work, { recursive: true, force: true });
  }
  return locations(target);
}

function locations(target) {
  const imagesDir = join(target, 'images');
  return {
    imagesDir,
    imageId: IMAGES.virtio,
    scsiImageId: IMAGES.scsi,
    kernelPath: join(imagesDir, 'vmlinuz'),
    initrdPath: join(imagesDir, 'initramfs.gz'),
  };
}

/** Outside the checkout, which may be closed to the user that a hypervisor runs as. */
function cacheFolder() {
  if (process.env.XDG_CACHE_HOME) return join(process.env.XDG_CACHE_HOME, 'novella');
  return isRoot() ? '/var/cache/novella' : join(homedir(), '.cache', 'novella');
}

async function removeAbandoned(cache) {
  for (const name of await readdir(cache)) {
    if (!name.startsWith('.building-')) continue;
    const { mtimeMs } = await stat(join(cache, name)).catch(() => ({ mtimeMs: Date.now() }));
    if (Date.now() - mtimeMs > ABANDONED_MS) await rm(join(cache, name), { recursive: true, force: true });
  }
}

async function build(work) {
  const machine = ARCH[process.arch];
  if (!machine)
    throw new Error(`no guest kernel for ${process.arch}; there is one for ${Object.keys(ARCH).join(', ')}`);
  await chmod(work, 0o755);
  const packages = await download(work, machine.kernel);
  const unpacked = join(work, 'unpacked');
  for (const { file } of packages) run('dpkg-deb', ['-x', file, unpacked]);

  const images = join(work, 'guest', 'images');
  await mkdir(images, { recursive: true });
  const kernel = (await readdir(join(unpacked, 'boot'))).find((name) => name.startsWith('vmlinuz-'));
  if (!kernel) throw new Error(`${machine.kernel}: no kernel in the package`);
  await copyFile(join(unpacked, 'boot', kernel), join(images, 'vmlinuz'));
  await chmod(join(images, 'vmlinuz'), 0o644);
  await writeFile(join(images, 'initramfs.gz'), await initramfs(work, unpacked));
  await describeImages(images, machine.console);
  const versions = packages.map(({ name, version }) => `${name} ${version}\n`).join('');
  await writeFile(join(work, 'guest', 'packages'), versions);
}

/** Fetches the packages without installing them; a list of packages that is missing or old is renewed once. */
async function download(work, kernelPackage) {
  const wanted = () => [dependency(kernelPackage), 'busybox-static'];
  const fetch = () => run('apt-get', ['-qq', 'download', ...wanted()], { cwd: work });
  try {
    fetch();
  } catch (error) {
    if (!isRoot()) throw new Error('cannot download the guest kernel; try: sudo apt-get update', { cause: error });
    await aptUpdate();
    fetch();
  }
  const debs = (await readdir(work)).filter((name) => name.endsWith('.deb'));
  return debs.map((deb) => {
    const [name, version] = deb.split('_');
    return { name, version: decodeURIComponent(version), file: join(work, deb) };
  });
}

/** The newest kernel, which is what the meta package depends on. */
function dependency(metaPackage) {
  const found = /Depends: (linux-image-\S+)/.exec(run('apt-cache', ['depends', metaPackage]));
  if (!found) throw new Error(`apt knows no package that ${metaPackage} stands for`);
  return found[1];
}

async function initramfs(work, unpacked) {
  const root = join(work, 'root');
  for (const folder of ['bin', 'proc', 'sys', 'dev', 'lib/modules'])
    await mkdir(join(root, folder), { recursive: true });
  const busybox = ['bin/busybox', 'usr/bin/busybox']
    .map((name) => join(unpacked, name))
    .find((name) => existsSync(name));
  await copyFile(busybox, join(root, 'bin/busybox'));
  await chmod(join(root, 'bin/busybox'), 0o755);
  await copyFile(join(here, 'init'), join(root, 'init'));
  await chmod(join(root, 'init'), 0o755);
  const modules = await loadOrder(unpacked);
  for (const { name, content } of modules) await writeFile(join(root, 'lib/modules', name), content);
  await writeFile(join(root, 'lib/modules/order'), modules.map(({ name }) => `${name}\n`).join(''));
  const names = Buffer.from(run('find', ['.'], { cwd: root }));
  return gzipSync(
    run('cpio', ['-o', '-H', 'newc', '-R', '0:0', '--quiet'], { cwd: root, input: names, encoding: 'buffer' }),
  );
}

/** The drivers with what they depend on, dependencies first. What is built into the kernel is left out. */
async function loadOrder(unpacked) {
  const lib = [join(unpacked, 'lib/modules'), join(unpacked, 'usr/lib/modules')].find((folder) => existsSync(folder));
  const files = run('find', [lib, '-name', '*.ko*']).trim().split('\n');
  const byName = new Map(files.map((file) => [moduleName(file), file]));
  const ordered = new Map();
  const add = async (name) => {
    const file = byName.get(name);
    if (ordered.has(name) || !file) return;
    const content = await moduleContent(file);
    const depends = /depends=([\w,-]*)\0/.exec(content.toString('latin1'))?.[1] ?? '';
    for (const dependency of depends.split(',').filter(Boolean)) await add(dependency.replaceAll('-', '_'));
    ordered.set(name, { name: `${name}.ko`, content });
  };
  for (const driver of DRIVERS) await add(driver);
  return [...ordered.values()];
}

const moduleName = (file) => /([^/]+)\.ko/.exec(file)[1].replaceAll('-', '_');

async function moduleContent(file) {
  if (file.endsWith('.ko')) return readFile(file);
  const tool = { xz: 'xz', zst: 'zstd', gz: 'gzip' }[file.split('.').pop()];
  if (!tool) throw new Error(`cannot unpack the kernel module ${file}`);
  return run(tool, ['-dc', file], { encoding: 'buffer' });
}

/** An image directory: each image a description, with Glance's words, and the file that it names. */
async function describeImages(images, consoleDevice) {
  const describe = (id, name, diskFormat, more) => {
    const image = { id, name, disk_format: diskFormat, min_disk: 0, min_ram: 0, properties: {}, ...more };
    return writeFile(join(images, `${id}.json`), `${JSON.stringify(image, null, 2)}\n`);
  };
  const bootable = (bus) => ({
    properties: {
      kernel_id: IMAGES.kernel,
      ramdisk_id: IMAGES.ramdisk,
      os_command_line: `console=${consoleDevice} ${COMMAND_LINE}`,
      hw_disk_bus: bus,
    },
  });
  await describe(IMAGES.kernel, 'novella-guest-kernel', 'aki', { file: 'vmlinuz' });
  await describe(IMAGES.ramdisk, 'novella-guest-ramdisk', 'ari', { file: 'initramfs.gz' });
  await describe(IMAGES.virtio, 'novella-guest', 'ami', bootable('virtio'));
  await describe(IMAGES.scsi, 'novella-guest-scsi', 'ami', bootable('scsi'));
}

/** What makes booting quick where the processor is emulated. */
const COMMAND_LINE = 'quiet panic=-1 mitigations=off nokaslr tsc=reliable no_timer_check cryptomgr.notests';

function run(command, args, options = {}) {
  try {
    return execFileSync(command, args, {
      encoding: 'utf8',
      maxBuffer: 2 ** 28,
      stdio: ['pipe', 'pipe', 'pipe'],
      ...options,
    });
  } catch (error) {
    const said = String(error.stderr ?? '').trim();
    throw new Error(`${command} ${args.slice(0, 4).join(' ')}: ${said || error.message}`, { cause: error });
  }
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  process.stdout.write(`${JSON.stringify(await guest())}\n`);
}
