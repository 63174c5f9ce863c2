import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { waitUntil } from '@novella/testing';
import type { StandaloneConfig } from '../../apps/standalone/src/standalone.config.js';

const ROOT = join(import.meta.dirname, '..', '..');
const PROGRAM = ['--import', join(ROOT, 'test', 'bad-input', 'typescript.mjs'), 'apps/standalone/src/main.ts'];

/** The standalone program in a process of its own, from its sources, which a test can kill and start again. */
export class KillableNovella {
  private child: ChildProcess | null = null;

  constructor(
    private readonly config: StandaloneConfig,
    private readonly libvirtSocket: string,
  ) {}

  get apiUrl(): string {
    return `http://127.0.0.1:${this.config.port}/v2.1`;
  }

  /** Resolves when the API answers. */
  async start(): Promise<void> {
    const { stateDir, port, cinderEndpoint, imagesDir, volumeRoots, host } = this.config;
    this.child = spawn(process.execPath, PROGRAM, {
      cwd: ROOT,
      stdio: 'ignore',
      env: {
        PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
        NOVELLA_STATE_DIR: stateDir,
        NOVELLA_API_PORT: String(port),
        NOVELLA_AUTH_STRATEGY: 'noauth2',
        NOVELLA_CINDER_ENDPOINT: cinderEndpoint,
        NOVELLA_IMAGES_DIR: imagesDir,
        NOVELLA_VOLUME_ROOTS: volumeRoots.join(','),
        NOVELLA_HOST: host,
        NOVELLA_LIBVIRT_SOCKET: this.libvirtSocket,
        NOVELLA_LIBVIRT_DOMAIN_TYPE: 'qemu',
      },
    });
    await waitUntil(async () => (await fetch(this.apiUrl)).ok, { what: 'the API to answer', timeout: 60_000 });
  }

  /** As a power cut would, but for what the kernel has in memory. */
  kill(): Promise<void> {
    return this.end('SIGKILL');
  }

  stop(): Promise<void> {
    return this.end('SIGTERM');
  }

  private async end(signal: 'SIGKILL' | 'SIGTERM'): Promise<void> {
    const { child } = this;
    if (child === null || child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, 'exit');
    child.kill(signal);
    await exited;
  }
}
