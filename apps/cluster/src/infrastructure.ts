import { connect } from 'node:net';
import { type EmbeddedPostgres, startEmbeddedPostgres } from '@novella/persistence';
import { type PrivateLibvirtd, type PrivateRabbit, startPrivateLibvirtd, startPrivateRabbit } from '@novella/testing';
import type { StateFolder } from './state-folder.js';

/** A program that is not ours and that the members need: it is looked after and started again when it is gone. */
export interface Infrastructure {
  readonly name: string;
  /** Takes connections. */
  answers(): Promise<boolean>;
  /** After it was found gone: as it was before, at the same address. */
  startAgain(): Promise<void>;
  stop(): Promise<void>;
}

export interface Broker extends Infrastructure {
  url(user: string, password: string): string;
  readonly port: number;
}

export async function startBroker({ definitions, path }: StateFolder): Promise<Broker> {
  const rabbit: PrivateRabbit = await startPrivateRabbit({ directory: `${path}/rabbitmq`, definitions });
  return {
    name: 'rabbitmq',
    port: rabbit.port,
    url: (user, password) => rabbit.urlOf(user, password),
    answers: () => takesConnections({ port: rabbit.port, host: '127.0.0.1' }),
    startAgain: () => rabbit.start(),
    stop: () => rabbit.stop(),
  };
}

export interface Database extends Infrastructure {
  readonly url: string;
}

export async function startDatabase(folder: StateFolder, onTrouble: (line: string) => void): Promise<Database> {
  const log = (line: string) => {
    if (/ (ERROR|FATAL|PANIC): /.test(line)) onTrouble(line);
  };
  const start = (port: number) => startEmbeddedPostgres({ dataDir: folder.postgres, port, fsync: true, log });
  let postgres: EmbeddedPostgres = await start(0);
  const { url, port } = postgres;
  return {
    name: 'postgres',
    url,
    answers: () => takesConnections({ port, host: '127.0.0.1' }),
    async startAgain() {
      await postgres.stop();
      postgres = await start(port);
    },
    stop: () => postgres.stop(),
  };
}

/** The hypervisor of one host, in a namespace of its own. */
export async function startHypervisor(name: string, dir: string): Promise<Infrastructure> {
  let libvirtd: PrivateLibvirtd = await startPrivateLibvirtd({ dir });
  return {
    name: `libvirtd of ${name}`,
    answers: () => takesConnections({ path: libvirtd.socketPath }),
    async startAgain() {
      try {
        // Its guests go on.
        await libvirtd.startDaemon();
      } catch {
        // The namespace is gone, and with it the guests.
        await libvirtd.stop();
        libvirtd = await startPrivateLibvirtd({ dir });
      }
    },
    stop: () => libvirtd.stop(),
  };
}

const CONNECT_LIMIT_MS = 5_000;

export function takesConnections(where: { port: number; host: string } | { path: string }): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(where);
    const end = (answer: boolean): void => {
      socket.destroy();
      resolve(answer);
    };
    // A program that is only slow is not gone.
    socket.setTimeout(CONNECT_LIMIT_MS, () => end(true));
    socket.once('connect', () => end(true));
    socket.once('error', () => end(false));
  });
}
