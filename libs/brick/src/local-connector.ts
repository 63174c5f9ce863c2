import { type BigIntStats } from 'node:fs';
import { stat } from 'node:fs/promises';
import {
  type Bytes,
  bytes,
  type Clock,
  type ConnectionInfoOf,
  type Millis,
  NovellaError,
  seconds,
} from '@novella/core';
import { AllowedRoots } from './allowed-roots.js';
import { type ConnectedVolume, isGrownByHost, type ReachableVolume, type VolumeConnector } from './connector.js';
import { deviceSize, loopBacking } from './device-size.js';
import { growFile } from './grow-file.js';
import { isLuks, luksKey, luksOverhead, sizeAfter as after } from './luks.js';
import { formatIfEmpty } from './luks-format.js';
import type { ProcessRunner } from './process-runner.js';
import { growQcow2, qcow2Size } from './qcow2-file.js';

export interface LocalConnectorOptions {
  /** Folders, and beginnings of device names (`/dev/loop*`), that a volume's path must resolve into. */
  readonly roots: readonly string[];
  readonly clock: Clock;
  readonly runner: ProcessRunner;
  /** How long `rescan` looks for the wanted size; 10 s unless told. */
  readonly rescanTimeout?: Millis;
  /** The pause between two looks; 0.1 s unless told. */
  readonly rescanInterval?: Millis;
  /** `/sys`; tests bring their own. */
  readonly sysfs?: string;
}

const LOSETUP_TIMEOUT = seconds(5);

type Connection = ConnectionInfoOf<'local'>;
type Volume = ReachableVolume<Connection>;

/**
 * Volumes whose path is on the host already: a raw or qcow2 file, or a block device such as /dev/loop0. Nothing is
 * connected; what remains is to check the path and to measure, to grow a qcow2 file that nobody has open, and to see that a
 * volume which is to be encrypted is so. Mirrors os-brick's local connector, whose extend only reads a size.
 */
export class LocalConnector implements VolumeConnector<Connection> {
  readonly #roots: AllowedRoots;
  readonly #clock: Clock;
  readonly #runner: ProcessRunner;
  readonly #timeout: Millis;
  readonly #interval: Millis;
  readonly #sysfs: string;

  constructor(options: LocalConnectorOptions) {
    this.#roots = new AllowedRoots(options.roots);
    this.#clock = options.clock;
    this.#runner = options.runner;
    this.#timeout = options.rescanTimeout ?? seconds(10);
    this.#interval = options.rescanInterval ?? seconds(0.1);
    this.#sysfs = options.sysfs ?? '/sys';
  }

  /** There is nobody to tell a secret to. */
  async connect({ connection, secret }: Volume): Promise<ConnectedVolume> {
    const { path, found } = await this.#find(connection);
    const device = { kind: found.isFile() ? 'file' : 'block', path } as const;
    if (connection.format === 'qcow2') await qcow2Size(path);
    if (!connection.encrypted) return { device, keys: [] };
    if (connection.format === 'qcow2') {
      throw new NovellaError('connector-unsupported', 'an encrypted qcow2 file cannot be opened', { path });
    }
    const key = luksKey(secret);
    if (secret !== null && !(await isLuks(path))) await formatIfEmpty(this.#runner, path, secret);
    await luksOverhead(path);
    return { device, keys: [key] };
  }

  disconnect(_connection: Connection): Promise<void> {
    return Promise.resolve();
  }

  async size({ connection }: Volume): Promise<Bytes> {
    const { path, found } = await this.#find(connection);
    if (connection.format === 'qcow2') return qcow2Size(path);
    return after(await this.#overhead(connection, path), await deviceSize(found, this.#sysfs));
  }

  async overhead({ connection }: Volume): Promise<Bytes> {
    return this.#overhead(connection, (await this.#find(connection)).path);
  }

  async grow({ connection }: Volume, wanted: Bytes): Promise<Bytes> {
    const { path } = await this.#find(connection);
    if (!isGrownByHost(connection)) {
      throw new NovellaError('extend-unsupported', 'only the volume service grows this volume', { path });
    }
    if (connection.accessMode === 'ro') {
      throw new NovellaError('disk-cannot-grow', 'the volume may only be read', { path });
    }
    return growQcow2(this.#runner, path, wanted);
  }

  /** QEMU sets the length of a raw file alone. */
  async restore({ connection }: Volume, wanted: Bytes): Promise<Bytes> {
    const { path, found } = await this.#find(connection);
    if (found.isFile() && connection.format === 'raw') {
      const overhead = await this.#overhead(connection, path);
      return after(overhead, await growFile(path, bytes(wanted + overhead)));
    }
    throw new NovellaError('extend-unsupported', 'no hypervisor sets the length of this volume', { path });
  }

  isUsable(): Promise<boolean> {
    return Promise.resolve(true);
  }

  async rescan(volume: Volume, wanted: Bytes, signal: AbortSignal): Promise<Bytes> {
    const { connection } = volume;
    if (isGrownByHost(connection)) return this.size(volume);
    const end = this.#clock.monotonic() + this.#timeout;
    for (;;) {
      signal.throwIfAborted();
      const { measured, refused } = await this.#look(connection, wanted);
      if (measured >= wanted) return measured;
      if (this.#clock.monotonic() >= end) {
        throw new NovellaError(
          'host-device-too-small',
          'the device on the host does not have the wanted size',
          { wanted, measured, path: connection.devicePath },
          refused === null ? {} : { cause: refused },
        );
      }
      await this.#clock.sleep(this.#interval, signal);
    }
  }

  /** One measurement; a loop device whose file has grown is first told to look at it. */
  async #look(connection: Connection, wanted: Bytes): Promise<{ measured: Bytes; refused: Error | null }> {
    const { path, found } = await this.#find(connection);
    const overhead = await this.#overhead(connection, path);
    const size = await deviceSize(found, this.#sysfs);
    const measured = after(overhead, size);
    if (measured >= wanted || !(await this.#backingIsLarger(found, size))) return { measured, refused: null };
    const losetup = await this.#runner.run(['losetup', '-c', path], { timeout: LOSETUP_TIMEOUT });
    const refused = losetup.code === 0 ? null : new Error(`losetup -c ended with ${losetup.code}: ${losetup.stderr}`);
    return { measured: after(overhead, await deviceSize(found, this.#sysfs)), refused };
  }

  async #backingIsLarger(found: BigIntStats, measured: Bytes): Promise<boolean> {
    const backing = await loopBacking(found, this.#sysfs);
    if (backing === null) return false;
    const file = await stat(backing.path).catch(() => null);
    return file !== null && file.size - backing.offset > measured;
  }

  async #overhead({ encrypted }: Connection, path: string): Promise<Bytes> {
    return encrypted ? luksOverhead(path) : bytes(0);
  }

  async #find(connection: Connection): Promise<{ path: string; found: BigIntStats }> {
    const path = await this.#roots.resolve(connection.devicePath);
    const found = await stat(path, { bigint: true }).catch((cause: unknown) => {
      throw new NovellaError('host-device-missing', 'the volume went away from the host', { path }, { cause });
    });
    if (found.isFile() || (found.isBlockDevice() && connection.format === 'raw')) return { path, found };
    const expected = connection.format === 'raw' ? 'a regular file or a block device' : 'a regular file';
    throw new NovellaError('connection-info-invalid', `a ${connection.format} volume is ${expected}`, {
      path: connection.devicePath,
    });
  }
}
