import { assertNever, type ServerId, type VolumeId } from '@novella/core';
import type { Operation } from '@novella/persistence';
import { waitUntil } from '@novella/testing';
import { manage } from '../../apps/manage/src/manage.js';
import { startAll } from './a-few-at-a-time.js';
import { CINDER_FAULTS } from './cinder-faults.js';
import { CELLS, type Cell, type Cloud, type End } from './cinder-stories.js';
import { hasEnded, OperationWatch } from './operation-watch.js';
import type { Region } from './region.js';
import { type ActionEvent, type AtCinder, User } from './user.js';

/** What was seen of a cell of the table. */
export interface Seen {
  /** Of the operation when it waited as it has to or, if it has not, ended while Cinder misbehaved. */
  readonly first: Operation;
  /** That, as `novella-manage operation show` prints it; null: it was not asked for. */
  readonly shown: string | null;
  readonly ended: Operation;
  readonly read: ActionEvent | null;
  readonly atCinder: AtCinder | null;
  readonly guestGib: number;
  /** Rows that say that the server has the volume. */
  readonly mappings: number;
}

const AT_ONCE = 32;

/** Runs all cells of the table in one region, a few at a time: a fault is for one call about one volume. */
export class CellRunner {
  private readonly results: ReadonlyMap<Cell, Promise<Seen>>;
  private readonly shared = new Map<string, Promise<string>>();
  private readonly cloud: Cloud;
  private readonly watch: OperationWatch;

  constructor(private readonly region: Region) {
    const user = new User(region);
    this.cloud = { region, user, sharedServer: (story) => this.sharedServer(story, user) };
    this.watch = new OperationWatch(region.store);
    this.results = startAll(CELLS, AT_ONCE, (cell) => this.run(cell));
  }

  seen(cell: Cell): Promise<Seen> {
    return this.results.get(cell) ?? Promise.reject(new Error('no such cell'));
  }

  stop(): Promise<void> {
    return this.watch.stop();
  }

  private async run(cell: Cell): Promise<Seen> {
    const { story, row, name } = cell;
    const waits = row.meaning === 'away' || isAskedAgain(cell);
    const { region, user } = this.cloud;
    const subject = await story.prepare(this.cloud);
    const { volume } = subject;
    const held = region.cinder.hold({ by: 'service', call: story.call, volume, fault: row.fault });
    const asked = await story.ask(this.cloud, subject);
    const server = (typeof asked === 'string' ? asked : subject.server) as ServerId;
    const isIt = ({ kind, serverId, volumeId }: Operation): boolean =>
      kind === story.kind && serverId === server && (volumeId === null || volumeId === volume);
    const stands = (operation: Operation): boolean =>
      isIt(operation) && (hasEnded(operation) || (waits && held.met > 0 && waitsForCinder(operation)));
    const first = await this.watch.until(stands, `${name}: to wait or end`);
    if (held.met === 0) throw new Error(`${name}: the call was never made`);
    const shown = isShown(row) && !hasEnded(first) ? await show(region, first) : null;
    held.end();
    const ended = await this.watch.until((operation) => isIt(operation) && hasEnded(operation), `${name}: to end`);
    const mappings = (await region.store.blockDeviceMappings([server])).get(server) ?? [];
    const guest = await region.hypervisor.driver.guest(server);
    const disk = guest?.disks.find((each) => each.volume === (volume as VolumeId));
    return {
      first,
      shown,
      ended,
      read: await user.readsAction(server, await region.requestOf(ended.id)),
      atCinder: await user.atCinder(volume),
      guestGib: (disk?.guestBytes ?? 0) / 2 ** 30,
      mappings: mappings.filter((each) => each.volumeId === (volume as VolumeId)).length,
    };
  }

  private sharedServer(story: string, user: User): Promise<string> {
    const server = this.shared.get(story) ?? user.server();
    this.shared.set(story, server);
    return server;
  }
}

/** One of each meaning: each costs as much as the rest of the cell. */
const isShown = (row: Cell['row']): boolean => CINDER_FAULTS.find(({ meaning }) => meaning === row.meaning) === row;

async function show(region: Region, { id }: Operation): Promise<string> {
  const look = async () => {
    const { stdout } = await manage(['operation', 'show', id], { NOVELLA_DATABASE_URL: region.databaseUrl });
    // At this moment a conductor may be at it again.
    return stdout.includes('looked at again') && stdout;
  };
  return waitUntil(look, { what: `operation ${id} to be shown with its next try` });
}

/** Not before that: a reservation waits for nova-api first. */
const waitsForCinder = ({ state, waitingFor }: Operation): boolean =>
  state === 'waiting' && (waitingFor === 'cinder' || waitingFor === 'retry');

/** Cinder's last word about what must be, and is asked for again. */
export const isAskedAgain = ({ story, row }: Cell): boolean => row.meaning === 'refused' && story.refused === 'waits';

/** How the cell has to end. */
export function endOf({ story, row }: Cell): End {
  switch (row.meaning) {
    case 'away':
      return story.well;
    case 'refused':
      return story.refused === 'waits' ? story.well : story.refused;
    case 'gone':
      return story.gone ?? story.well;
    case 'unusable':
      return { ...(story.gone ?? story.well), error: row.code };
    default:
      return assertNever(row.meaning);
  }
}
