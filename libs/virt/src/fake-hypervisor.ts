import { once } from 'node:events';
import { chmod, lstat, rm } from 'node:fs/promises';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { assertNever, type Log, toErrorRecord } from '@novella/core';
import type { FakeDriver } from './fake-driver.js';
import { JsonLines } from './fake-lines.js';
import {
  type ArgsOf,
  asLine,
  type CallName,
  CALLS,
  fromWire,
  LONGEST_LINE,
  PROTOCOL,
  request,
  type Told,
} from './fake-wire.js';

export interface FakeHypervisorOptions {
  /** At most 107 bytes. A socket that an earlier hypervisor has left there is replaced. */
  readonly socketPath: string;
  /** Its guests live as long as this process, not as long as who calls. */
  readonly driver: FakeDriver;
  readonly log?: Log;
}

export interface FakeHypervisor {
  /** Ends every connection; the driver and its guests are left as they are. */
  close(): Promise<void>;
}

/** What a driver that does not read may leave unread, in bytes. */
const MOST_UNREAD = 4 * LONGEST_LINE;

/**
 * Serves a FakeDriver to `FakeHypervisorClient`s in other processes, several at a time. As at libvirtd, a call that came
 * is carried out when its connection has ended meanwhile, and only a stop that still waits for the guest is given up: who
 * would cut the power is gone. Error: EADDRINUSE while another hypervisor serves there.
 */
export async function serveFakeHypervisor({ socketPath, driver, log }: FakeHypervisorOptions): Promise<FakeHypervisor> {
  const connections = new Set<Connection>();
  driver.onPowerState((server, powerState) => connections.forEach((one) => one.tell({ server, powerState })));
  const listener = createServer((socket) => {
    const connection = new Connection(socket, driver, log);
    connections.add(connection);
    socket.once('close', () => connections.delete(connection));
  });
  if (await isLeftOver(socketPath)) await rm(socketPath, { force: true });
  await listening(listener, socketPath);
  await chmod(socketPath, 0o600);
  return {
    async close() {
      listener.close();
      const ended = once(listener, 'close');
      for (const connection of connections) connection.end();
      await ended;
    },
  };
}

/** One driver's connection. What it says that cannot be read ends it, and no other. */
class Connection {
  private readonly lines = new JsonLines(LONGEST_LINE);
  private readonly underWay = new Map<number, AbortController>();

  constructor(
    private readonly socket: Socket,
    private readonly driver: FakeDriver,
    private readonly log: Log | undefined,
  ) {
    socket.on('data', (chunk: Buffer) => this.read(chunk));
    socket.on('error', () => undefined); // 'close' follows
    socket.on('close', () => {
      for (const call of this.underWay.values()) call.abort(new Error('the connection of the caller has ended'));
    });
    socket.write(asLine({ hello: PROTOCOL }));
  }

  tell(message: Told): void {
    if (this.socket.destroyed) return;
    this.socket.write(asLine(message));
    if (this.socket.writableLength > MOST_UNREAD) this.end();
  }

  end(): void {
    this.socket.destroy();
  }

  private read(chunk: Buffer): void {
    if (this.socket.destroyed) return;
    try {
      for (const message of this.lines.push(chunk)) this.onMessage(message);
    } catch (error) {
      this.log?.warn('a driver has sent what cannot be read; its connection is ended', { error });
      this.end();
    }
  }

  private onMessage(message: unknown): void {
    const asked = request.parse(message);
    if ('cancel' in asked) {
      this.underWay.get(asked.cancel)?.abort(new Error('the caller has cancelled it'));
      return;
    }
    const call = { name: asked.call, args: CALLS[asked.call].args.parse(asked.args) } as AnyCall;
    void this.answer(asked.id, call);
  }

  private async answer(id: number, call: AnyCall): Promise<void> {
    const abort = new AbortController();
    this.underWay.set(id, abort);
    try {
      this.tell({ id, result: (await carryOut(this.driver, call, abort.signal)) ?? null });
    } catch (error) {
      const aborted = abort.signal.aborted && error === abort.signal.reason;
      this.tell(aborted ? { id, aborted } : { id, error: toErrorRecord(error) });
    } finally {
      this.underWay.delete(id);
    }
  }
}

type AnyCall = { readonly [Name in CallName]: { readonly name: Name; readonly args: ArgsOf<Name> } }[CallName];

function carryOut(driver: FakeDriver, { name, args }: AnyCall, signal: AbortSignal): Promise<unknown> {
  switch (name) {
    case 'hypervisor':
      return driver.hypervisor();
    case 'guests':
      return driver.guests();
    case 'guest':
      return driver.guest(...args);
    case 'createGuest':
      return driver.createGuest(args[0], fromWire(args[1]));
    case 'destroyGuest':
      return driver.destroyGuest(...args);
    case 'startGuest':
      return driver.startGuest(args[0], fromWire(args[1]));
    case 'stopGuest':
      return driver.stopGuest(...args, signal);
    case 'pauseGuest':
      return driver.pauseGuest(...args);
    case 'unpauseGuest':
      return driver.unpauseGuest(...args);
    case 'suspendGuest':
      return driver.suspendGuest(...args, signal);
    case 'resumeGuest':
      return driver.resumeGuest(args[0], signal, fromWire(args[1]));
    case 'attachDisk':
      return driver.attachDisk(args[0], args[1], fromWire(args[2]));
    case 'detachDisk':
      return driver.detachDisk(...args);
    case 'resizeDisk':
      return driver.liveResize.resizeDisk(...args);
    default:
      return assertNever(name);
  }
}

/** A hypervisor that was killed leaves its socket, which then refuses everybody. Other files refuse too, and are left. */
async function isLeftOver(socketPath: string): Promise<boolean> {
  const isSocket = await lstat(socketPath).then(
    (found) => found.isSocket(),
    () => false,
  );
  return isSocket && (await refuses(socketPath));
}

function refuses(socketPath: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(socketPath);
    const answered = (refused: boolean): void => {
      socket.destroy();
      resolve(refused);
    };
    socket.once('connect', () => answered(false));
    socket.once('error', (error: NodeJS.ErrnoException) => answered(error.code === 'ECONNREFUSED'));
  });
}

function listening(server: Server, socketPath: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(socketPath, () => {
      server.off('error', reject);
      resolve();
    });
  });
}
