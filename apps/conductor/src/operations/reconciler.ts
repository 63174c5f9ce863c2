import {
  type BlockDeviceMappingId,
  type Bytes,
  type Clock,
  type GiB,
  type HostName,
  type Log,
  millis,
  minutes,
  type OperationKind,
  type PowerState,
  type Random,
  type ServerId,
  type VolumeId,
} from '@novella/core';
import type { ApiStore, AttachedVolume, EngineStore, HostStore } from '@novella/persistence';
import type { VolumeService } from '../volume-service.js';
import { visibleBytes } from './disks.js';
import { openSystemExtend } from './system-extend.js';

/**
 * Finds attachments whose guest is behind Cinder (an event that never came, a guest that was off) and opens an extend
 * for each, with an action of its own, initiator `system`; completes again what Cinder has not as attached. It carries no data from one turn to the next: it compares
 * what is written with what Cinder says now. One conductor does it at a time.
 */
export interface ReconcilerIo {
  readonly store: EngineStore & HostStore & Pick<ApiStore, 'blockDeviceMappings'>;
  readonly volumes: VolumeService;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** The engine has new work. */
  readonly hint: () => void;
}

const PERIOD = minutes(10);
const PAGE = 500;
/** These read their guest's sizes back themselves. */
const READS_BACK: readonly OperationKind[] = ['build', 'start', 'reboot', 'unpause', 'resume'];
const OPEN_OF_ONE_SERVER = 100;

export class Reconciler {
  private readonly stopping = new AbortController();
  private loop: Promise<void> = Promise.resolve();

  constructor(private readonly io: ReconcilerIo) {}

  start(): void {
    this.loop = this.run();
  }

  async stop(): Promise<void> {
    this.stopping.abort();
    await this.loop;
  }

  /** One pass over all attachments, or over those of one host. Answers how many extends it opened. */
  async reconcile(host: HostName | null = null): Promise<number> {
    let opened = 0;
    await this.io.store.exclusively('reconciler', async () => {
      const attached = await this.attachedVolumes(host);
      if (attached.size === 0) return;
      const capabilities = await this.capabilities();
      for await (const page of this.io.volumes.volumesThatAre('in-use')) {
        if (this.stopping.signal.aborted) return;
        for (const { id, size } of page) {
          for (const attachment of attached.get(id) ?? []) {
            if (!isBehind(attachment, size, capabilities.get(attachment.host) ?? '')) continue;
            if (await openSystemExtend(this.io, attachment.mapping)) opened += 1;
          }
        }
      }
      await this.completeAgain(attached);
    });
    if (opened > 0) this.io.hint();
    return opened;
  }

  /** A guest that runs again may see what it did not before: those of its volumes that it was last seen behind with. */
  async guestStarted(server: ServerId): Promise<number> {
    const open = await this.io.store.operations({ serverId: server, open: true, limit: OPEN_OF_ONE_SERVER });
    if (open.some(({ kind }) => READS_BACK.includes(kind))) return 0;
    const mappings = (await this.io.store.blockDeviceMappings([server])).get(server) ?? [];
    const unread = mappings.filter(
      ({ attachedAt, guestBytes, wantedBytes }) =>
        attachedAt !== null && (guestBytes === null || guestBytes < wantedBytes),
    );
    let opened = 0;
    for (const mapping of unread) if (await openSystemExtend(this.io, mapping)) opened += 1;
    if (opened > 0) this.io.hint();
    return opened;
  }

  private async run(): Promise<void> {
    while (!this.stopping.signal.aborted) {
      const pause = millis(PERIOD * (0.9 + this.io.random.fraction() / 5));
      const cut = await this.io.clock.sleep(pause, this.stopping.signal).then(
        () => false,
        () => true,
      );
      if (cut) return;
      await this.reconcile().then(
        (opened) => this.io.log.info('reconciled attached volumes', { opened }),
        (error: unknown) => this.io.log.warn('attached volumes could not be reconciled', { error }),
      );
    }
  }

  /**
   * What is attached and yet `attaching` at Cinder was connected anew by a conductor that had stood still since before it
   * was completed. While it is so nobody can extend or detach the volume.
   */
  private async completeAgain(attached: ReadonlyMap<VolumeId, readonly AttachedVolume[]>): Promise<void> {
    for await (const page of this.io.volumes.volumesThatAre('attaching')) {
      if (this.stopping.signal.aborted) return;
      for (const { mapping, projectId } of page.flatMap(({ id }) => attached.get(id) ?? [])) {
        const { attachmentId, volumeId, serverId } = mapping;
        if (attachmentId === null) continue;
        this.io.log.warn('an attached volume is attaching at Cinder; it is completed again', { volumeId, serverId });
        await this.io.volumes.completeAttachment(projectId, attachmentId);
      }
    }
  }

  private async attachedVolumes(host: HostName | null): Promise<Map<VolumeId, AttachedVolume[]>> {
    const byVolume = new Map<VolumeId, AttachedVolume[]>();
    let after: BlockDeviceMappingId | null = null;
    for (;;) {
      const page: AttachedVolume[] = await this.io.store.attachedVolumes(after, PAGE, host);
      for (const attachment of page) {
        const { volumeId } = attachment.mapping;
        byVolume.set(volumeId, [...(byVolume.get(volumeId) ?? []), attachment]);
      }
      const last = page.at(-1);
      if (last === undefined || page.length < PAGE) return byVolume;
      after = last.mapping.id;
    }
  }

  private async capabilities(): Promise<Map<HostName, string>> {
    const services = await this.io.store.services('nova-compute');
    return new Map(services.map(({ host, capabilities }) => [host, [...capabilities].sort().join(',')]));
  }
}

const RUNS: readonly PowerState[] = ['running', 'paused'];

/**
 * Pure. True when the guest (or, while it is off, the host) was last seen with less than Cinder now has. What a guest that
 * runs is not known to have seen it may not have been told.
 */
export function isBehind(attached: AttachedVolume, size: GiB, capabilities: string): boolean {
  const { mapping, powerState, refused } = attached;
  const wanted: Bytes = visibleBytes(size, mapping);
  const seen = mapping.guestBytes ?? (RUNS.includes(powerState) ? 0 : (mapping.hostBytes ?? 0));
  if (seen >= wanted) return false;
  const sameAsRefused = refused?.wantedBytes === wanted && [...refused.capabilities].sort().join(',') === capabilities;
  return !sameAsRefused;
}
