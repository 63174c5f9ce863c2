import { access, constants } from 'node:fs/promises';
import { join } from 'node:path';
import {
  type Bytes,
  bytes,
  type Clock,
  type ConnectionInfoOf,
  type Millis,
  NovellaError,
  seconds,
} from '@novella/core';
import { cephxKey } from './cephx-key.js';
import type { ConnectedVolume, ReachableVolume, VolumeConnector } from './connector.js';
import { HEADER_BYTES, luksKey, overheadOf, sizeAfter } from './luks.js';
import { isInstalled } from './process-runner.js';
import { type RbdImages, RbdProcesses } from './rbd-images.js';

export interface RbdConnectorOptions {
  readonly clock: Clock;
  /** How images are looked at; by processes of Ceph's own binding unless given. */
  readonly images?: RbdImages;
  /** Where the host's `<cluster>.conf` and keyrings are; `/etc/ceph` unless given. Neither has to be there. */
  readonly cephDir?: string;
  /** How long `rescan` looks for the wanted size; 10 s unless told. */
  readonly rescanTimeout?: Millis;
  /** The pause between two looks; 1 s unless told. */
  readonly rescanInterval?: Millis;
}

type Connection = ConnectionInfoOf<'rbd'>;
type Volume = ReachableVolume<Connection>;

/** An image's bytes without and with what no guest sees of them. */
interface Seen {
  readonly size: Bytes;
  readonly overhead: Bytes;
}

const NONE = bytes(0);

/**
 * Images in a Ceph cluster. QEMU opens them by itself, so nothing is connected: what remains is to find the key and to
 * measure. Nova's libvirt driver does less, it believes the size that Cinder names
 * (nova:virt/libvirt/volume/net.py); os-brick measures as we do (os-brick:os_brick/initiator/connectors/rbd.py).
 */
export class RbdConnector implements VolumeConnector<Connection> {
  readonly #images: RbdImages;
  readonly #clock: Clock;
  readonly #cephDir: string;
  readonly #timeout: Millis;
  readonly #interval: Millis;

  constructor(options: RbdConnectorOptions) {
    this.#images = options.images ?? new RbdProcesses();
    this.#clock = options.clock;
    this.#cephDir = options.cephDir ?? '/etc/ceph';
    this.#timeout = options.rescanTimeout ?? seconds(10);
    this.#interval = options.rescanInterval ?? seconds(1);
  }

  async connect(volume: Volume): Promise<ConnectedVolume> {
    const { pool, image, monitors, auth, discard, encrypted } = volume.connection;
    const luks = encrypted ? [luksKey(volume.secret)] : [];
    await this.#look(volume);
    const key = await this.#key(volume);
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
    return (await this.#look(volume)).size;
  }

  async overhead(volume: Volume): Promise<Bytes> {
    return volume.connection.encrypted ? (await this.#look(volume)).overhead : NONE;
  }

  async rescan(volume: Volume, wanted: Bytes, signal: AbortSignal): Promise<Bytes> {
    const end = this.#clock.monotonic() + this.#timeout;
    for (;;) {
      signal.throwIfAborted();
      const measured = await this.size(volume);
      if (measured >= wanted) return measured;
      if (this.#clock.monotonic() >= end) {
        const facts = { wanted, measured, path: pathOf(volume) };
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
    return Promise.reject(new NovellaError('extend-unsupported', message, { path: pathOf(volume) }));
  }

  async restore(volume: Volume, wanted: Bytes): Promise<Bytes> {
    const { size, overhead } = await this.#look(volume);
    return size >= wanted ? size : (await this.#look(volume, bytes(wanted + overhead))).size;
  }

  /** What brings `rbd` brings Ceph's binding too. */
  isUsable(): Promise<boolean> {
    return isInstalled('rbd');
  }

  async #look(volume: Volume, atLeast: Bytes | null = null): Promise<Seen> {
    const { pool, image, monitors, auth, cluster, encrypted } = volume.connection;
    const reach = {
      conf: await this.#configuration(cluster),
      monitors: monitors.map(address),
      user: auth?.username ?? null,
      key: await this.#key(volume),
    };
    const seen = await this.#images.look(reach, { pool, image, head: encrypted ? HEADER_BYTES : 0, atLeast });
    const overhead = encrypted ? overheadOf(seen.head, pathOf(volume)) : NONE;
    return { size: sizeAfter(overhead, bytes(seen.size)), overhead };
  }

  async #key(volume: Volume): Promise<string | null> {
    const { auth } = volume.connection;
    return auth === null ? null : cephxKey(volume, auth, this.#cephDir);
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

const pathOf = ({ connection: { pool, image } }: Volume): string => `${pool}/${image}`;
