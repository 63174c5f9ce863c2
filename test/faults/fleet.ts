import type { ServerId, VolumeId } from '@novella/core';
import { waitUntil } from '@novella/testing';
import type { Region } from './region.js';
import { type Answer, User } from './user.js';

/** An event that was answered 200, by the id of its request. */
export interface Accepted {
  readonly requestId: string;
}

/** What became of accepted events: those that have no row, those whose action has not ended, and the results. */
export interface Account {
  readonly lost: number;
  readonly open: number;
  readonly results: readonly string[];
}

/** Longer than a host has for an extend: what became of a command may be unknown until then. */
const PATIENCE_MS = 100_000;

/** A server with volumes that grow. */
export class Fleet {
  readonly user: User;
  private size = 1;

  private constructor(
    private readonly region: Region,
    readonly server: string,
    readonly volumes: readonly string[],
  ) {
    this.user = new User(region);
  }

  static async of(region: Region, count: number): Promise<Fleet> {
    const user = new User(region);
    const server = await user.server();
    const volumes = await Promise.all(Array.from({ length: count }, () => user.volume()));
    await Promise.all(volumes.map((volume) => user.attached(server, volume)));
    return new Fleet(region, server, volumes);
  }

  /** Grows each volume at Cinder by a GiB, of which nobody is told. Answers the size. */
  async growAtCinder(): Promise<number> {
    const size = (this.size += 1);
    for (const volume of this.volumes) await this.user.extend(volume, size);
    for (const volume of this.volumes) {
      const has = async () => (await this.user.atCinder(volume))?.size === size;
      await waitUntil(has, { what: `volume ${volume} to have ${size} GiB` });
    }
    return size;
  }

  /** Tells Nova, an event for each volume; each must be accepted. */
  async tell(): Promise<Accepted[]> {
    const answers = await Promise.all(this.volumes.map((volume) => this.post(volume)));
    for (const { status, text } of answers) if (status !== 200) throw new Error(`not accepted: ${status} ${text}`);
    return answers.map(acceptedBy);
  }

  post(volume: string): Promise<Answer> {
    return this.user.postExtended({ server: this.server, volume });
  }

  async account(accepted: readonly Accepted[]): Promise<Account> {
    const text = `select e.id is not null as written, v.result from unnest($1::text[]) as posted(id)
      left join external_event e on e.request_id = posted.id and e.code = 200
      left join instance_action a on a.request_id = posted.id
      left join instance_action_event v on v.action_id = a.id`;
    const ids = accepted.map(({ requestId }) => requestId);
    const rows = await this.region.query<{ written: boolean; result: string | null }>(text, [ids]);
    return {
      lost: rows.filter(({ written }) => !written).length,
      open: rows.filter(({ result }) => result === null).length,
      results: [...new Set(rows.flatMap(({ result }) => result ?? []))],
    };
  }

  /** All that was accepted is written and has ended well. */
  async untilDone(accepted: readonly Accepted[]): Promise<void> {
    const look = async () => {
      const { lost, open, results } = await this.account(accepted);
      if (lost > 0 || results.includes('Error')) throw new Error(`lost ${lost}, ended as ${results.join()}`);
      return open === 0;
    };
    await waitUntil(look, { what: 'what was accepted to be done', every: 100, timeout: PATIENCE_MS });
  }

  /** Sizes that the guest sees, in GiB, each once. */
  async guestSizes(): Promise<number[]> {
    const guest = await this.region.hypervisor.driver.guest(this.server as ServerId);
    const seen = this.volumes.map((volume) => {
      return guest?.disks.find((disk) => disk.volume === (volume as VolumeId))?.guestBytes ?? 0;
    });
    return [...new Set(seen.map((bytes) => bytes / 2 ** 30))];
  }
}

export const acceptedBy = ({ headers }: Answer): Accepted => ({
  requestId: headers.get('x-openstack-request-id') ?? 'none',
});
