import { type ChildProcessByStdio, execFile, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { promisify } from 'node:util';
import { freePort } from './free-port.js';

/**
 * A real Ceph cluster of a test's own on loopback: monitors and one OSD that keeps all in memory, with cephx. They run
 * in a PID namespace whose first process reads a pipe from us, so that they end with us, however we end.
 * Needs root, util-linux and Debian's ceph-mon, ceph-osd and ceph-common.
 */
export interface PrivateCeph {
  /** Like a host's /etc/ceph: `ceph.conf` and the keyrings `ceph.client.<user>.keyring`. */
  readonly dir: string;
  readonly confPath: string;
  readonly fsid: string;
  /** An IPv6 address is without brackets. */
  readonly monitors: readonly Monitor[];
  /** May do with images in all pools what Cinder and QEMU do; `key` is base64. */
  readonly client: { readonly user: string; readonly key: string; readonly keyringPath: string };
  /** A pool for images. */
  createPool(name: string): Promise<void>;
  /** Runs `rbd` as the administrator, and answers what it says. */
  rbd(...args: string[]): Promise<string>;
  /** Runs `ceph` as the administrator, and answers what it says. Takes half a second. */
  ceph(...args: string[]): Promise<string>;
  /** Ends all at once, and removes `dir`. */
  stop(): Promise<void>;
}

export interface PrivateCephOptions {
  /** Who `client` is; `cinder` unless given. */
  readonly user?: string;
  /** Made at the start; `volumes` unless given. */
  readonly pools?: readonly string[];
  /** How many monitors; 1 unless given. */
  readonly monitors?: number;
  /** Where all listens; on 127.0.0.1 unless given. */
  readonly address?: '127.0.0.1' | '::1';
}

interface Monitor {
  readonly host: string;
  readonly port: number;
}

const COMMAND_LIMIT_MS = 120_000;
/** An OSD takes eight ports, and tries those of its range one after the other. */
const OSD_PORTS = 100;

/**
 * $1: the folder, which goes at the end; then the monitors' names. When our end of the pipe is closed, all other processes
 * of the namespace end.
 */
const SUPERVISOR = `
for name in "\${@:2}"; do
  ceph-mon -c "$1/ceph.conf" -i "$name" -f --setuser root --setgroup root </dev/null &
done
ceph-osd -c "$1/ceph.conf" -i 0 -f --setuser root --setgroup root </dev/null &
while read -r line; do :; done
kill -KILL -1
wait
rm -rf -- "$1"
`;

/** Resolves when every pool takes images. Fails with the end of what mon and OSD have said. */
export async function startPrivateCeph(options: PrivateCephOptions = {}): Promise<PrivateCeph> {
  if (process.getuid?.() !== 0) throw new Error('a private Ceph needs root: it runs in a PID namespace');
  const { user = 'cinder', pools = ['volumes'], monitors = 1, address = '127.0.0.1' } = options;
  const dir = await mkdtemp(join(tmpdir(), 'novella-private-ceph-'));
  try {
    const places: Monitor[] = [];
    while (places.length < monitors) places.push({ host: address, port: await freePort() });
    const { key, ...prepared } = await prepare(dir, user, places);
    const cluster = new Cluster(dir, { ...prepared, client: { user, key, keyringPath: keyringOf(dir, user) } });
    try {
      for (const pool of pools) await cluster.createPool(pool);
    } catch (error) {
      throw await cluster.failure(error);
    }
    return cluster;
  } catch (error) {
    await rm(dir, { recursive: true, force: true });
    throw error;
  }
}

interface Prepared {
  readonly fsid: string;
  readonly monitors: readonly Monitor[];
}

/** Monitors have letters. */
const nameOf = (index: number): string => 'abcdefgh'.charAt(index);
const placeOf = ({ host, port }: Monitor): string => `[v1:${host.includes(':') ? `[${host}]` : host}:${port}]`;
const keyringOf = (dir: string, user: string): string => join(dir, `ceph.client.${user}.keyring`);
const run = promisify(execFile);

/** Both stores are made with all that they need to know of each other, which spares a dozen questions afterwards. */
async function prepare(dir: string, user: string, monitors: readonly Monitor[]): Promise<Prepared & { key: string }> {
  const fsid = randomUUID();
  const names = monitors.map((_, index) => nameOf(index));
  const conf = join(dir, 'ceph.conf');
  const tool = async (program: string, ...args: string[]): Promise<string> =>
    (await run(program, args, { timeout: COMMAND_LIMIT_MS })).stdout.trim();

  for (const name of [...names.map((one) => `mon-${one}`), 'osd']) await mkdir(join(dir, name));
  await writeFile(conf, configuration(dir, fsid, monitors, await freePort()));
  const newKey = (): Promise<string> => tool('ceph-authtool', '--gen-print-key');
  const [monKey, adminKey, osdKey, key] = await Promise.all([newKey(), newKey(), newKey(), newKey()]);
  const admin = keyring('client.admin', adminKey, { mon: 'allow *', osd: 'allow *', mgr: 'allow *' });
  const client = keyring(`client.${user}`, key, { mon: 'profile rbd', osd: 'profile rbd', mgr: 'profile rbd' });
  const osd = keyring('osd.0', osdKey, { mon: 'allow profile osd', osd: 'allow *', mgr: 'allow profile osd' });
  await writeFile(keyringOf(dir, 'admin'), admin, { mode: 0o600 });
  await writeFile(keyringOf(dir, user), client, { mode: 0o600 });
  await writeFile(join(dir, 'osd/keyring'), osd, { mode: 0o600 });
  await writeFile(join(dir, 'keyring'), keyring('mon.', monKey, { mon: 'allow *' }) + admin + client + osd);

  const monmap = join(dir, 'monmap');
  const osdmap = join(dir, 'osdmap');
  const places = monitors.flatMap((monitor, index) => ['--addv', nameOf(index), placeOf(monitor)]);
  await tool('monmaptool', '--create', '--fsid', fsid, ...places, monmap);
  await tool('osdmaptool', '-c', conf, '--createsimple', '1', osdmap);
  const from = ['--monmap', monmap, '--osdmap', osdmap, '--keyring', join(dir, 'keyring')];
  await Promise.all([
    ...names.map((name) => tool('ceph-mon', '-c', conf, '-i', name, '--mkfs', ...from)),
    // There is no monitor yet that it could ask for its settings.
    tool(
      'ceph-osd',
      '-c',
      conf,
      '-i',
      '0',
      '--no-mon-config',
      '--mkfs',
      '--osd-uuid',
      randomUUID(),
      '--monmap',
      monmap,
    ),
  ]);
  return { fsid, monitors, key };
}

const keyring = (entity: string, key: string, caps: Readonly<Record<string, string>>): string =>
  [
    `[${entity}]`,
    `key = ${key}`,
    ...Object.entries(caps).map(([service, cap]) => `caps ${service} = "${cap}"`),
    '',
  ].join('\n');

function configuration(dir: string, fsid: string, monitors: readonly Monitor[], osdPort: number): string {
  const isV6 = monitors.some(({ host }) => host.includes(':'));
  // Without its keyring a monitor believes the others nothing.
  const sections = monitors.map((_, index) => {
    const data = `${dir}/mon-${nameOf(index)}`;
    return `[mon.${nameOf(index)}]\nmon data = ${data}\nkeyring = ${data}/keyring\n`;
  });
  return `[global]
fsid = ${fsid}
mon host = ${monitors.map(placeOf).join(',')}
public network = ${isV6 ? '::1/128' : '127.0.0.0/8'}
ms bind ipv4 = ${!isV6}
ms bind ipv6 = ${isV6}
ms bind port min = ${osdPort}
ms bind port max = ${osdPort + OSD_PORTS}
auth cluster required = cephx
auth service required = cephx
auth client required = cephx
auth allow insecure global id reclaim = false
keyring = ${dir}/$cluster.$name.keyring
run dir = ${dir}
admin socket =
log to stderr = true
err to stderr = true
log file =
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 8
osd pool default pgp num = 8
osd pool default pg autoscale mode = off
osd crush chooseleaf type = 0
mon allow pool size one = true
mon allow pool delete = true
mon warn on pool no redundancy = false
mon data avail crit = 1
mon data avail warn = 2
mon initial members = ${monitors.map((_, index) => nameOf(index)).join(', ')}
mon cluster log file =
${sections.join('')}[osd.0]
keyring = ${dir}/osd/keyring
osd data = ${dir}/osd
osd objectstore = memstore
memstore device bytes = 4294967296
`;
}

type Namespace = ChildProcessByStdio<Writable, Readable, Readable>;

function openNamespace(dir: string, monitors: readonly string[]): Namespace {
  const flags = ['--pid', '--fork', '--kill-child', '--mount-proc'];
  // Its own session: Ctrl-C reaches us, and we decide.
  return spawn('unshare', [...flags, 'bash', '-c', SUPERVISOR, 'ceph-supervisor', dir, ...monitors], {
    stdio: ['pipe', 'pipe', 'pipe'],
    detached: true,
  });
}

class Cluster implements PrivateCeph {
  readonly dir: string;
  readonly confPath: string;
  readonly fsid: string;
  readonly monitors: PrivateCeph['monitors'];
  readonly client: PrivateCeph['client'];
  private readonly namespace: Namespace;
  private readonly ended: Promise<unknown>;
  private said = '';

  // No parameter properties: Node runs this file as it is, by stripping its types.
  constructor(dir: string, { fsid, monitors, client }: Prepared & Pick<PrivateCeph, 'client'>) {
    this.dir = dir;
    this.confPath = join(dir, 'ceph.conf');
    this.fsid = fsid;
    this.monitors = monitors;
    this.client = client;
    this.namespace = openNamespace(
      dir,
      monitors.map((_, index) => nameOf(index)),
    );
    this.namespace.stdin.on('error', () => undefined); // it has ended, which the next command finds
    for (const stream of [this.namespace.stdout, this.namespace.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => (this.said = (this.said + text).slice(-8_192)));
    }
    this.ended = new Promise((resolve) => {
      this.namespace.once('error', resolve);
      this.namespace.once('close', resolve);
    });
  }

  async createPool(name: string): Promise<void> {
    await this.ceph('osd', 'pool', 'create', name);
    await this.rbd('pool', 'init', name);
  }

  rbd(...args: string[]): Promise<string> {
    return this.asAdmin('rbd', args);
  }

  ceph(...args: string[]): Promise<string> {
    return this.asAdmin('ceph', args);
  }

  async stop(): Promise<void> {
    this.namespace.stdin.end();
    await this.ended;
  }

  async failure(cause: unknown): Promise<Error> {
    this.namespace.stdin.end();
    await this.ended;
    return new Error(`private Ceph: it did not start\n${this.said}`, { cause });
  }

  private async asAdmin(program: string, args: readonly string[]): Promise<string> {
    const { stdout } = await run(program, ['-c', this.confPath, ...args], { timeout: COMMAND_LIMIT_MS });
    return stdout.trim();
  }
}
