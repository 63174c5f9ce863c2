import { access, constants } from 'node:fs/promises';
import { join } from 'node:path';
import {
  type Bytes,
  bytes,
  type Clock,
  type ConnectionInfoOf,
  type Millis,
  millis,
  NovellaError,
  seconds,
} from '@novella/core';
import { z } from 'zod';
import { cephxKey } from './cephx-key.js';
import type { ConnectedVolume, ReachableVolume, VolumeConnector } from './connector.js';
import { luksKey } from './luks.js';
import { isInstalled, type ProcessResult, type ProcessRunner } from './process-runner.js';

export interface RbdConnectorOptions {
  readonly runner: ProcessRunner;
  readonly clock: Clock;
  /** Where the host's `<cluster>.conf` and keyrings are; `/etc/ceph` unless given. Neither has to be there. */
  readonly cephDir?: string;
  /** A cluster that does not answer is given up after this; 15 s unless told. `rbd` itself would wait for 300 s. */
  readonly clusterTimeout?: Millis;
  /** How long `rescan` looks for the wanted size; 10 s unless told. */
  readonly rescanTimeout?: Millis;
  /** The pause between two looks; 1 s unless told. */
  readonly rescanInterval?: Millis;
}

type Connection = ConnectionInfoOf<'rbd'>;
type Volume = ReachableVolume<Connection>;

/** What a command may take besides. */
const RUN_TIMEOUT = seconds(15);
/** `rbd` ends with the number of the error. */
const NO_SUCH_IMAGE = 2;
/** One for each monitor that was asked in the wrong version of the protocol, of no interest to anybody. */
const NOISE = /peer_banner/;

const size = z.number().int().nonnegative().max(Number.MAX_SAFE_INTEGER);
const imageInfo = z.object({ size });
const luksImageInfo = z.object({
  'virtual-size': size,
  'format-specific': z.object({ data: z.object({ 'payload-offset': size }) }),
});

/**
 * Images in a Ceph cluster. QEMU opens them by itself, so nothing is connected: what remains is to find the key and to
 * measure by `rbd info`. Nova's libvirt driver does less, it believes the size that Cinder names
 * (nova:virt/libvirt/volume/net.py); os-brick measures as we do (os-brick:os_brick/initiator/connectors/rbd.py).
 * The key goes to `rbd` in a file without a name.
 */
export class RbdConnector implements VolumeConnector<Connection> {
  readonly #runner: ProcessRunner;
  readonly #clock: Clock;
  readonly #cephDir: string;
  readonly #clusterTimeout: Millis;
  readonly #timeout: Millis;
  readonly #interval: Millis;

  constructor(options: RbdConnectorOptions) {
    this.#runner = options.runner;
    this.#clock = options.clock;
    this.#cephDir = options.cephDir ?? '/etc/ceph';
    this.#clusterTimeout = options.clusterTimeout ?? seconds(15);
    this.#timeout = options.rescanTimeout ?? seconds(10);
    this.#interval = options.rescanInterval ?? seconds(1);
  }

  async connect(volume: Volume): Promise<ConnectedVolume> {
    const { pool, image, monitors, auth, discard, encrypted } = volume.connection;
    const luks = encrypted ? [luksKey(volume.secret)] : [];
    const key = await this.#key(volume);
    // Of the two programs `rbd` is the one that says what is wrong with the cluster or the user.
    await this.#imageSize(volume);
    if (encrypted) await this.#luks(volume);
    const cephx = key === null ? [] : [{ purpose: 'cephx', value: Buffer.from(key, 'base64') } as const];
    return {
      device: { kind: 'network', path: `${pool}/${image}`, monitors, auth, discard },
      keys: [...cephx, ...luks],
    };
  }

  disconnect(_connection: Connection): Promise<void> {
    return Promise.resolve();
  }

  async size(volume: Volume): Promise<Bytes> {
    return volume.connection.encrypted ? (await this.#luks(volume)).size : this.#imageSize(volume);
  }

  async overhead(volume: Volume): Promise<Bytes> {
    return volume.connection.encrypted ? (await this.#luks(volume)).overhead : bytes(0);
  }

  async #imageSize(volume: Volume): Promise<Bytes> {
    const stdout = await this.#rbd(volume, ['info', '--format', 'json']);
    const parsed = imageInfo.safeParse(jsonOf(stdout));
    if (parsed.success) return bytes(parsed.data.size);
    throw new NovellaError('internal', 'rbd info answered no size', { ...factsOf(volume), text: stdout.slice(0, 64) });
  }

  async rescan(volume: Volume, wanted: Bytes, signal: AbortSignal): Promise<Bytes> {
    const end = this.#clock.monotonic() + this.#timeout;
    for (;;) {
      signal.throwIfAborted();
      const measured = await this.size(volume);
      if (measured >= wanted) return measured;
      if (this.#clock.monotonic() >= end) {
        const facts = { wanted, measured, ...factsOf(volume) };
        throw new NovellaError(
          'host-device-too-small',
          'the image in the cluster does not have the wanted size',
          facts,
        );
      }
      await this.#clock.sleep(this.#interval, signal);
    }
  }

  grow(volume: Volume, _wanted: Bytes): Promise<Bytes> {
    const message = 'only the volume service grows this volume';
    return Promise.reject(new NovellaError('extend-unsupported', message, factsOf(volume)));
  }

  /** `rbd resize` makes nothing smaller unless it is told to. */
  async restore(volume: Volume, wanted: Bytes): Promise<Bytes> {
    if ((await this.size(volume)) < wanted) {
      const length = wanted + (await this.overhead(volume));
      await this.#rbd(volume, ['resize', '--size', `${length}B`, '--no-progress']);
    }
    return this.size(volume);
  }

  isUsable(): Promise<boolean> {
    return isInstalled('rbd');
  }

  async #key(volume: Volume): Promise<string | null> {
    const { auth } = volume.connection;
    return auth === null ? null : cephxKey(volume, auth, this.#cephDir);
  }

  /** Answers what the command said. Errors: host-device-missing; paths-down for all that keeps us from the cluster. */
  async #rbd(volume: Volume, command: readonly string[]): Promise<string> {
    const { pool, image, monitors, auth, cluster } = volume.connection;
    const key = await this.#key(volume);
    const limit = String(this.#clusterTimeout / 1000);
    const argv = [
      ...(['rbd', '--conf', await this.#configuration(cluster)] as const),
      ...['--mon_host', monitors.map(address).join(',')],
      ...(auth === null ? [] : ['--id', auth.username, '--keyfile', '/dev/fd/0']),
      ...['--client_mount_timeout', limit, '--rados_osd_op_timeout', limit],
      ...['--pool', pool, '--image', image],
      ...command,
    ] as const;
    const result = await this.#run(volume, argv, key);
    if (result.code === 0) return result.stdout;
    const said = result.stderr.split('\n').filter((line) => line.trim() !== '' && !NOISE.test(line));
    const cause = new Error(`rbd ${command[0]} ended with ${result.code}: ${said.join('; ').slice(-500)}`);
    if (result.code === NO_SUCH_IMAGE) {
      throw new NovellaError('host-device-missing', 'there is no such image in the cluster', factsOf(volume), {
        cause,
      });
    }
    throw new NovellaError('paths-down', 'the Ceph cluster refused, or was not reached', factsOf(volume), { cause });
  }

  /** What is in the image: by qemu-img, which needs no pass phrase to read the header. Errors: as #rbd; image-refused. */
  async #luks(volume: Volume): Promise<{ size: Bytes; overhead: Bytes }> {
    const { pool, image, monitors, auth, cluster } = volume.connection;
    const key = await this.#key(volume);
    const conf = await this.#configuration(cluster);
    const rbd = {
      ...{ driver: 'rbd', pool, image, conf },
      server: monitors.map(({ host, port }) => ({ host, port: String(port) })),
      ...(auth === null ? {} : { user: auth.username, 'key-secret': 'cephx' }),
    };
    const secret = key === null ? [] : ['--object', 'secret,id=cephx,format=base64,file=/dev/fd/0'];
    const filename = `json:${JSON.stringify({ driver: 'luks', file: rbd })}`;
    const argv = ['qemu-img', 'info', '--force-share', '--output', 'json', ...secret, '--', filename] as const;
    const { code, stdout, stderr } = await this.#run(volume, argv, key);
    if (code === 0) return luksInfo(stdout, volume);
    const cause = new Error(`qemu-img info ended with ${code}: ${stderr.slice(-500)}`);
    const refused = /not in LUKS format|LUKS version/i.test(stderr);
    if (refused)
      throw new NovellaError('image-refused', 'the image has no header of LUKS 1', factsOf(volume), { cause });
    throw new NovellaError('paths-down', 'QEMU cannot read the image in the cluster', factsOf(volume), { cause });
  }

  #run(volume: Volume, argv: readonly [string, ...string[]], key: string | null): Promise<ProcessResult> {
    const options = { timeout: millis(this.#clusterTimeout + RUN_TIMEOUT), ...(key === null ? {} : { input: key }) };
    return this.#runner.run(argv, options).catch((cause: unknown) => {
      throw new NovellaError('paths-down', 'the Ceph cluster was not reached', factsOf(volume), { cause });
    });
  }

  /** Monitors and user are the volume's; all else of the host's file counts, where it has one. */
  async #configuration(cluster: string): Promise<string> {
    const path = join(this.#cephDir, `${cluster}.conf`);
    return access(path, constants.R_OK).then(
      () => path,
      () => '/dev/null',
    );
  }
}

const address = ({ host, port }: Connection['monitors'][number]): string =>
  host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;

function luksInfo(stdout: string, volume: Volume): { size: Bytes; overhead: Bytes } {
  const parsed = luksImageInfo.safeParse(jsonOf(stdout));
  if (!parsed.success) throw new NovellaError('internal', 'qemu-img info answered no sizes', factsOf(volume));
  const { 'virtual-size': size, 'format-specific': specific } = parsed.data;
  return { size: bytes(size), overhead: bytes(specific.data['payload-offset']) };
}

const factsOf = ({ connection: { pool, image } }: Volume) => ({ path: `${pool}/${image}` });

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
