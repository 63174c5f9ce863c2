import { join } from 'node:path';
import type { ServerId, VolumeId } from '@novella/core';
import { waitUntil } from '@novella/testing';
import { type FakeHypervisor, type HeldCall, serveFakeHypervisor } from '@novella/virt';
import type { Program } from '../apps/program.js';
import type { Region } from './region.js';
import { watchedHypervisor } from './watched-hypervisor.js';

const FLOW_MS = 60_000;

/**
 * A host whose compute is a process that is killed with -9 whenever it has got a command, before it acks. Its hypervisor
 * is in this process, and its guests stay.
 */
export class CrashingHost {
  private readonly hypervisor = watchedHypervisor();
  private readonly held: HeldCall[] = [];
  private served: FakeHypervisor | null = null;
  private running: Program;
  /** Loaded already: the next one. */
  private next: Program;

  private constructor(
    private readonly region: Region,
    readonly name: string,
  ) {
    this.running = this.newProgram();
    this.next = this.newProgram();
  }

  static async start(region: Region, name: string): Promise<CrashingHost> {
    const host = new CrashingHost(region, name);
    host.served = await serveFakeHypervisor({ socketPath: host.socket, driver: host.hypervisor.driver });
    await host.begin();
    const look = async () => (await region.openstack.hostsUp()).includes(name);
    await waitUntil(look, { what: `${name} to be up`, timeout: FLOW_MS, every: 50 });
    return host;
  }

  async stop(): Promise<void> {
    for (const call of this.held.splice(0)) call.release();
    await Promise.all([this.running, this.next].map((program) => program.signal('SIGKILL')));
    await this.served?.close();
  }

  /** The next command gets no answer from the hypervisor, to which it turns first. */
  holdNext(): void {
    this.held.push(this.hypervisor.driver.hangNext('guest'));
  }

  async killedOnCommand(): Promise<void> {
    await this.held.at(-1)?.reached;
    await this.running.signal('SIGKILL');
  }

  async startAgain(): Promise<void> {
    this.running = this.next;
    await this.begin();
    this.next = this.newProgram();
  }

  async startedAndKilledOnCommand(): Promise<void> {
    this.holdNext();
    await this.startAgain();
    await this.killedOnCommand();
  }

  /** What the guest sees of the volume. */
  async guestBytes(server: ServerId, volume: VolumeId): Promise<number> {
    const guest = await this.hypervisor.driver.guest(server);
    return guest?.disks.find((disk) => disk.volume === volume)?.guestBytes ?? 0;
  }

  /** The sizes of the volume that the hypervisor was told, in order. */
  toldSizes(volume: VolumeId): number[] {
    return this.hypervisor.told.filter((told) => told.volume === volume).map(({ size }) => size);
  }

  private get socket(): string {
    return join(this.region.dir, `${this.name}.socket`);
  }

  private async begin(): Promise<void> {
    await this.running.hears('loaded');
    this.running.tell('start');
  }

  private newProgram(): Program {
    return this.region.computeOnCall(this.name, this.socket);
  }
}
