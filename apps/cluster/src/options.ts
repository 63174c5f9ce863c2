import { homedir } from 'node:os';
import { isAbsolute, join, resolve } from 'node:path';
import { parseArgs } from 'node:util';

export const DRIVERS = ['libvirt', 'fake'] as const;
export const DOMAIN_TYPES = ['qemu', 'kvm'] as const;
const LOG_LEVELS = ['debug', 'info', 'warn', 'error'] as const;
export const MOST_COMPUTES = 16;
const MOST_CONDUCTORS = 8;
/** sun_path of a Unix socket is 108 bytes with its end; the longest is <state>/hosts/compute-16/libvirt/run/libvirt-sock. */
const LONGEST_STATE_PATH = 107 - '/hosts/compute-16/libvirt/run/libvirt-sock'.length;

/** A Keystone to use, and a user of ours there, who has the roles admin and service on the project. */
export interface KeystoneOptions {
  readonly url: string;
  readonly username: string;
  readonly project: string;
  readonly passwordFile: string;
}

export interface ClusterOptions {
  readonly computes: number;
  readonly conductors: number;
  readonly driver: (typeof DRIVERS)[number];
  readonly domainType: (typeof DOMAIN_TYPES)[number];
  /** Of the Nova API; 0 takes free ports. */
  readonly port: number;
  /** A Cinder to use instead of the development one, and where its volumes are on this machine; null: the built-in one. */
  readonly cinder: { readonly url: string; readonly volumeRoots: readonly string[] } | null;
  /** null: everybody is who they say they are. */
  readonly keystone: KeystoneOptions | null;
  readonly state: string;
  readonly fresh: boolean;
  readonly logLevel: (typeof LOG_LEVELS)[number];
}

export type Parsed =
  | { readonly kind: 'run'; readonly options: ClusterOptions }
  | { readonly kind: 'help' }
  /** All that is wrong, a line for each. */
  | { readonly kind: 'wrong'; readonly faults: readonly string[] };

export interface Surroundings {
  readonly isRoot: boolean;
  /** XDG_STATE_HOME, when it is set. */
  readonly stateHome: string | undefined;
}

export const usage = (surroundings: Surroundings): string => `usage: npm run cluster -- [options]

  --computes N          hosts, 1 to ${MOST_COMPUTES}; 3 unless given
  --conductors N        1 to ${MOST_CONDUCTORS}; 2 unless given
  --driver NAME         libvirt: real guests under QEMU, needs root (the default); fake: guests in memory
  --domain-type NAME    qemu: the processor is emulated (the default); kvm: where the machine has it
  --port PORT           of the Nova API, 8774 unless given; Cinder's is two above it; 0 takes free ones
  --cinder URL          a Cinder's v3 API without a project, instead of the development one
  --volume-roots LIST   with --cinder: the folders on this machine that its volumes lie in
  --keystone URL        a Keystone, http://127.0.0.1:5000/v3; unless given, everybody is who they say they are. Only with
                        --cinder: the development Cinder knows no Keystone
  --keystone-user NAME  with --keystone: our own user, with the roles admin and service; nova unless given
  --keystone-project NAME        the project that it acts in; service unless given
  --keystone-password-file FILE  a file with its password
  --state FOLDER        where everything is kept; ${defaultState(surroundings)} unless given
  --fresh               forgets what an earlier run has left there
  --log-level LEVEL     ${LOG_LEVELS.join(', ')}; info unless given
  --help                this text

Ctrl-C ends everything in order and keeps the data. Exit codes: 0 ended so, 1 it could not start, 2 wrong options,
3 something must be installed, or be done as root, first.
`;

export const defaultState = ({ isRoot, stateHome }: Surroundings): string =>
  isRoot ? '/var/lib/novella/cluster' : join(stateHome ?? join(homedir(), '.local', 'state'), 'novella', 'cluster');

/** Pure: what the words on the command line ask for. */
export function parseOptions(words: readonly string[], surroundings: Surroundings): Parsed {
  let given: Given;
  try {
    given = parseGiven(words);
  } catch (error) {
    return { kind: 'wrong', faults: [error instanceof Error ? error.message : String(error)] };
  }
  if (given.help === true) return { kind: 'help' };
  const faults: string[] = [];
  const options = checked(given, surroundings, (fault) => faults.push(fault));
  return faults.length > 0 ? { kind: 'wrong', faults } : { kind: 'run', options };
}

type Given = ReturnType<typeof parseGiven>;

function parseGiven(words: readonly string[]) {
  const text = { type: 'string' } as const;
  const flag = { type: 'boolean' } as const;
  return parseArgs({
    args: [...words],
    options: {
      computes: text,
      conductors: text,
      driver: text,
      'domain-type': text,
      port: text,
      keystone: text,
      'keystone-user': text,
      'keystone-project': text,
      'keystone-password-file': text,
      cinder: text,
      'volume-roots': text,
      state: text,
      fresh: flag,
      'log-level': text,
      help: flag,
    },
  }).values;
}

function checked(given: Given, surroundings: Surroundings, fault: (text: string) => void): ClusterOptions {
  const whole = (name: 'computes' | 'conductors' | 'port', least: number, most: number, otherwise: number): number => {
    const text = given[name];
    if (text === undefined) return otherwise;
    const value = /^\d{1,5}$/.test(text) ? Number(text) : Number.NaN;
    if (value >= least && value <= most) return value;
    fault(`--${name} ${text}: give a whole number from ${least} to ${most}`);
    return otherwise;
  };
  const oneOf = <T extends string>(
    name: 'driver' | 'domain-type' | 'log-level',
    all: readonly T[],
    otherwise: T,
  ): T => {
    const text = given[name];
    const found = text === undefined ? otherwise : all.find((one) => one === text);
    if (found === undefined) fault(`--${name} ${text ?? ''}: give one of ${all.join(', ')}`);
    return found ?? otherwise;
  };
  const options = {
    computes: whole('computes', 1, MOST_COMPUTES, 3),
    conductors: whole('conductors', 1, MOST_CONDUCTORS, 2),
    driver: oneOf('driver', DRIVERS, 'libvirt'),
    domainType: oneOf('domain-type', DOMAIN_TYPES, 'qemu'),
    // Cinder's is two above, and both must be ports.
    port: whole('port', 0, 65_533, 8774),
    cinder: cinderOf(given, fault),
    keystone: keystoneOf(given, fault),
    state: resolve(given.state ?? defaultState(surroundings)),
    fresh: given.fresh ?? false,
    logLevel: oneOf('log-level', LOG_LEVELS, 'info'),
  };
  if (given.state === '') fault('--state: give a folder');
  if (Buffer.byteLength(options.state) > LONGEST_STATE_PATH) {
    fault(`--state ${options.state}: at most ${LONGEST_STATE_PATH} bytes, for the sockets in it`);
  }
  return options;
}

function keystoneOf(given: Given, fault: (text: string) => void): KeystoneOptions | null {
  const names = ['keystone-user', 'keystone-project', 'keystone-password-file'] as const;
  if (given.keystone === undefined) {
    for (const name of names) if (given[name] !== undefined) fault(`--${name}: only with --keystone`);
    return null;
  }
  if (!isWebUrl(given.keystone)) {
    fault(`--keystone ${given.keystone}: give the URL of its v3 API, http://127.0.0.1:5000/v3`);
  }
  if (given.cinder === undefined) fault('--keystone: only with --cinder; the development Cinder knows no Keystone');
  const passwordFile = given['keystone-password-file'] ?? '';
  if (passwordFile === '') fault('--keystone-password-file: with --keystone, give a file with the password');
  return {
    url: given.keystone,
    username: given['keystone-user'] ?? 'nova',
    project: given['keystone-project'] ?? 'service',
    passwordFile: resolve(passwordFile),
  };
}

function isWebUrl(text: string): boolean {
  const url = URL.parse(text);
  return url !== null && ['http:', 'https:'].includes(url.protocol);
}

function cinderOf(given: Given, fault: (text: string) => void): ClusterOptions['cinder'] {
  const roots = given['volume-roots'];
  if (given.cinder === undefined) {
    if (roots !== undefined) fault('--volume-roots: only with --cinder; the development Cinder has its own folder');
    return null;
  }
  if (!isWebUrl(given.cinder)) {
    fault(`--cinder ${given.cinder}: give the URL of its v3 API without a project, http://127.0.0.1:8776/v3`);
  }
  const volumeRoots = (roots ?? '').split(',').filter((root) => root !== '');
  if (volumeRoots.length === 0 || !volumeRoots.every((root) => isAbsolute(root))) {
    fault(`--volume-roots ${roots ?? '(not given)'}: with --cinder, give absolute paths with commas between them`);
  }
  return { url: given.cinder.replace(/\/+$/, ''), volumeRoots };
}
