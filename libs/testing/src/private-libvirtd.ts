import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { access, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';

/**
 * A real libvirtd of a test's own: in its own mount namespace, so that the system's libvirtd and other private ones are
 * not touched, and in its own PID namespace, so that it and every QEMU it started end with the process that asked for it,
 * however that one ends: the namespace's first process reads a pipe from us and exits at its end.
 * Needs root, util-linux and Debian's libvirt-daemon-system; no systemd, no virtlogd.
 */
export interface PrivateLibvirtd {
  readonly socketPath: string;
  /** Its files, as seen from outside: run, lib, etc, log. */
  readonly dir: string;
  /** Ends libvirtd (SIGTERM) and starts it again; guests go on. */
  restart(): Promise<void>;
  /** Ends libvirtd alone; guests go on. */
  stopDaemon(): Promise<void>;
  startDaemon(): Promise<void>;
  /** Ends its guests and libvirtd; removes `dir` unless it was given. */
  stop(): Promise<void>;
}

export interface PrivateLibvirtdOptions {
  /** Where its files live; kept by `stop`, so that definitions are there again at the next start. */
  readonly dir?: string;
}

const READY_LIMIT_MS = 60_000;
const EXIT_LIMIT_MS = 60_000;
const LISTEN_POLL_MS = 20;
/** What libvirtd learns about the installed QEMU in its first seconds; shared by all private ones and kept. */
const CACHE_DIR = '/var/cache/novella/libvirt';
const FOLDERS = {
  run: '/run/libvirt',
  lib: '/var/lib/libvirt',
  etc: '/etc/libvirt',
  log: '/var/log/libvirt',
} as const;

const LIBVIRTD_CONF = `auth_unix_rw = "none"
unix_sock_rw_perms = "0700"
unix_sock_ro_perms = "0700"
`;

// stdio_handler: there is no virtlogd. The rest lets QEMU run as root on files that nobody has to chown.
const QEMU_CONF = `stdio_handler = "file"
user = "root"
group = "root"
security_driver = "none"
dynamic_ownership = 0
remember_owner = 0
cgroup_controllers = []
namespaces = []
`;

/** $1: folder with run, lib, etc, log; $2: cache. Commands come in by lines; what has happened goes out by lines. */
const SUPERVISOR = `set -eu
bind() { mkdir -p "$2"; mount --bind "$1" "$2"; }
${Object.entries(FOLDERS)
  .map(([name, target]) => `bind "$1/${name}" ${target}`)
  .join('\n')}
bind "$2" /var/cache/libvirt
echo mounted
while read -r command; do
  case $command in
    start) (rc=0; libvirtd -p /run/libvirt/libvirtd.pid </dev/null >>/var/log/libvirt/libvirtd.log 2>&1 || rc=$?; echo "exited $rc") & ;;
    stop) kill "$(cat /run/libvirt/libvirtd.pid)" ;;
  esac
done
`;

export async function startPrivateLibvirtd(options: PrivateLibvirtdOptions = {}): Promise<PrivateLibvirtd> {
  if (process.getuid?.() !== 0) throw new Error('a private libvirtd needs root: it runs in a mount namespace');
  const dir = options.dir ?? (await mkdtemp(join(tmpdir(), 'novella-libvirtd-')));
  const removeDir = async (): Promise<void> => {
    if (options.dir === undefined) await rm(dir, { recursive: true, force: true });
  };
  await prepareFolders(dir);
  const namespace = openNamespace(dir);
  const libvirtd = new Supervised(namespace, dir, removeDir);
  try {
    await libvirtd.startDaemon();
  } catch (error) {
    await libvirtd.stop();
    throw error;
  }
  return libvirtd;
}

async function prepareFolders(dir: string): Promise<void> {
  for (const name of Object.keys(FOLDERS)) await mkdir(join(dir, name), { recursive: true, mode: 0o700 });
  await mkdir(CACHE_DIR, { recursive: true, mode: 0o700 });
  await writeFile(join(dir, 'etc/libvirtd.conf'), LIBVIRTD_CONF);
  await writeFile(join(dir, 'etc/qemu.conf'), QEMU_CONF);
}

type Namespace = ChildProcessByStdio<Writable, Readable, Readable>;

function openNamespace(dir: string): Namespace {
  const flags = ['--mount', '--propagation', 'private', '--pid', '--fork', '--kill-child', '--mount-proc'];
  // Its own session: Ctrl-C reaches us, and we decide.
  return spawn('unshare', [...flags, 'bash', '-c', SUPERVISOR, 'libvirtd-supervisor', dir, CACHE_DIR], {
    stdio: ['pipe', 'pipe', 'pipe'],
    detached: true,
  });
}

class Supervised implements PrivateLibvirtd {
  readonly dir: string;
  readonly socketPath: string;
  private readonly namespace: Namespace;
  private readonly removeDir: () => Promise<void>;
  private daemonRuns = false;
  private readonly ended: Promise<void>;
  private endedBecause: string | null = null;
  private output = '';
  private errors = '';

  // No parameter properties: Node runs this file as it is, by stripping its types.
  constructor(namespace: Namespace, dir: string, removeDir: () => Promise<void>) {
    this.dir = dir;
    this.namespace = namespace;
    this.removeDir = removeDir;
    this.socketPath = join(dir, 'run/libvirt-sock');
    namespace.stdin.on('error', () => undefined); // it has ended: `ended` says why
    namespace.stdout.setEncoding('utf8').on('data', (text: string) => this.read(text));
    namespace.stderr.setEncoding('utf8').on('data', (text: string) => (this.errors += text));
    this.ended = new Promise((resolve) => {
      const end = (why: string): void => {
        this.endedBecause ??= why;
        this.daemonRuns = false;
        resolve();
      };
      namespace.once('error', (error) => end(`unshare did not start: ${error.message}`));
      namespace.once('exit', (code, signal) => end(`its namespace ended with ${code ?? signal ?? 'no status'}`));
    });
  }

  async startDaemon(): Promise<void> {
    if (this.daemonRuns) return;
    this.daemonRuns = true;
    this.namespace.stdin.write('start\n');
    const deadline = performance.now() + READY_LIMIT_MS;
    while (!(await answersAuthList(this.socketPath, deadline - performance.now()))) {
      if (!this.daemonIsUp()) throw await this.failure('it ended while starting');
      if (performance.now() > deadline) throw await this.failure('it did not answer in time');
      await sleep(LISTEN_POLL_MS);
    }
  }

  async stopDaemon(): Promise<void> {
    if (!this.daemonIsUp()) return;
    this.namespace.stdin.write('stop\n');
    const deadline = performance.now() + EXIT_LIMIT_MS;
    while (this.daemonIsUp()) {
      if (performance.now() > deadline) throw await this.failure('it did not end in time');
      await sleep(LISTEN_POLL_MS);
    }
  }

  async restart(): Promise<void> {
    await this.stopDaemon();
    await this.startDaemon();
  }

  async stop(): Promise<void> {
    this.namespace.stdin.end();
    await this.ended;
    await this.removeDir();
  }

  private daemonIsUp(): boolean {
    return this.daemonRuns;
  }

  private read(text: string): void {
    this.output += text;
    const lines = this.output.split('\n');
    this.output = lines.pop() ?? '';
    if (lines.some((line) => line.startsWith('exited'))) this.daemonRuns = false;
  }

  private async failure(what: string): Promise<Error> {
    const log = await tail(join(this.dir, 'log/libvirtd.log'));
    return new Error([`private libvirtd: ${this.endedBecause ?? what}`, this.errors, log].join('\n').trim());
  }
}

async function tail(path: string): Promise<string> {
  const text = await access(path).then(
    () => readFile(path, 'utf8'),
    () => '',
  );
  return text.split('\n').slice(-20).join('\n');
}

/** True when the daemon behind the socket has answered AUTH_LIST (procedure 66): it then serves calls. */
function answersAuthList(socketPath: string, limitMs: number): Promise<boolean> {
  const authList = Buffer.alloc(28);
  [28, 0x20008086, 1, 66].forEach((word, index) => authList.writeUInt32BE(word, index * 4));
  return new Promise((resolve) => {
    const socket = connect(socketPath);
    const end = (answered: boolean): void => {
      socket.destroy();
      resolve(answered);
    };
    socket.setTimeout(Math.max(1, limitMs), () => end(false));
    socket.once('connect', () => socket.write(authList));
    socket.once('data', () => end(true));
    socket.once('error', () => end(false));
    socket.once('close', () => end(false));
  });
}
