import { randomUUID } from 'node:crypto';
import {
  type BlockDeviceMappingId,
  type Bytes,
  type Clock,
  type HostName,
  type Millis,
  NovellaError,
  type OperationId,
  type OperationState,
  type RequestId,
  type ServerId,
} from '@novella/core';
import type { ListedFlavor } from '../flavor-store.js';
import type { KeyPair } from '../key-pair-store.js';
import type {
  BlockDeviceMapping,
  Capacity,
  Instance,
  InstanceAction,
  InstanceActionEvent,
  Operation,
  PlacedOn,
  Service,
  TimelineEntry,
} from '../records.js';
import type { Requester } from '../requester.js';
import type { PostedEvent } from '../api-store.js';
import { actionName, TIMELINE_LIMIT } from '../transition-facts.js';

/** Rows are replaced, never changed, so that an answer given out stays what it was. */
export interface InstanceRow extends Instance {
  /** What `place` has taken of the host. */
  readonly placed: Capacity;
  readonly userData: string | null;
  readonly keyData: string | null;
}
export interface MappingRow extends BlockDeviceMapping {
  readonly refused: { readonly wantedBytes: Bytes; readonly capabilities: readonly string[] } | null;
}
export type ServiceRow = Omit<Service, 'up' | 'used'> & { readonly stopped: boolean };
export interface OperationRow extends Operation {
  readonly claimedBy: string | null;
  readonly leaseUntil: Date | null;
  /** decidedSeq when the present attempt was dispatched. */
  readonly attemptSeq: number;
}
export interface ActionRow extends Omit<InstanceAction, 'events'> {
  /** null: it needed none. */
  readonly operationId: OperationId | null;
  readonly seq: number;
  readonly finished: boolean;
  readonly events: readonly InstanceActionEvent[];
}

export interface MemoryStoreOptions {
  /** A service that was silent for so long is down. */
  readonly serviceDownTime: Millis;
  /** `wallTime` is the store's now(). */
  readonly clock: Clock;
  /** Where new ids come from; random ones unless a simulation wants to repeat itself. */
  readonly uuid?: () => string;
}

export class Tables {
  readonly flavors = new Map<string, ListedFlavor>();
  readonly instances = new Map<ServerId, InstanceRow>();
  readonly mappings = new Map<BlockDeviceMappingId, MappingRow>();
  readonly services = new Map<string, ServiceRow>();
  readonly operations = new Map<OperationId, OperationRow>();
  /** In the order in which they were asked for. */
  readonly actions = new Map<ServerId, ActionRow[]>();
  readonly externalEvents: { event: PostedEvent; requester: Requester; operation: OperationId | null; at: Date }[] = [];
  readonly exclusive = new Set<string>();
  readonly keyPairs = new Map<number, KeyPair>();
  fence = 0;
  instanceNumber = 0;
  keyPairNumber = 0;
  closed = false;
  readonly uuid: () => string;

  constructor(readonly options: MemoryStoreOptions) {
    this.uuid = options.uuid ?? randomUUID;
  }

  now(): Date {
    return this.options.clock.wallTime();
  }

  /** One transaction: starts and answers in turns of its own, and nothing else runs while it works. */
  async atomically<T>(work: () => T): Promise<T> {
    await Promise.resolve();
    if (this.closed) throw new NovellaError('database-unreachable', 'the store is closed');
    const result = work();
    await Promise.resolve();
    return result;
  }

  mappingsOf(server: ServerId): MappingRow[] {
    return [...this.mappings.values()].filter((mapping) => mapping.serverId === server);
  }

  openOperationsOf(server: ServerId): OperationRow[] {
    return [...this.operations.values()].filter((row) => row.serverId === server && isOpen(row.state));
  }

  addAction({ id, serverId, kind, request }: Operation, seq: number, requester: Requester): void {
    this.#addAction(
      { serverId, action: actionName(kind, request), operationId: id, seq, finished: false },
      requester,
      [],
    );
  }

  /** What is done when it is asked for, and needs no operation. */
  addEndedAction(serverId: ServerId, named: { action: string; event: string }, requester: Requester): void {
    const now = this.now();
    const { action, event } = named;
    const ended = { startTime: now, finishTime: now, result: 'Success', traceback: null, details: null } as const;
    this.#addAction({ serverId, action, operationId: null, seq: 1, finished: true }, requester, [
      { event, host: null, ...ended },
    ]);
  }

  #addAction(
    asked: Pick<ActionRow, 'serverId' | 'action' | 'operationId' | 'seq' | 'finished'>,
    requester: Requester,
    events: readonly InstanceActionEvent[],
  ): void {
    const actions = this.actions.get(asked.serverId) ?? [];
    const taken = actions.some((action) => action.requestId === requester.requestId);
    const now = this.now();
    actions.push({
      ...asked,
      requestId: taken ? (`req-${this.uuid()}` as RequestId) : requester.requestId,
      userId: requester.userId,
      projectId: requester.projectId,
      startTime: now,
      updatedAt: now,
      message: null,
      events,
    });
    this.actions.set(asked.serverId, actions);
  }

  changeActions(operation: Operation, change: (action: ActionRow) => ActionRow): void {
    const actions = this.actions.get(operation.serverId) ?? [];
    this.actions.set(
      operation.serverId,
      actions.map((action) => (action.operationId === operation.id && !action.finished ? change(action) : action)),
    );
  }

  service(host: HostName | null, binary: Service['binary']): Service | null {
    const row = host === null ? undefined : this.services.get(serviceKey(host, binary));
    return row === undefined ? null : this.toService(row);
  }

  placedOn(host: HostName | null): PlacedOn | null {
    const row = host === null ? undefined : this.services.get(serviceKey(host, 'nova-compute'));
    return row === undefined ? null : this.toPlacedOn(row);
  }

  toService(row: ServiceRow): Service {
    return { ...this.toPlacedOn(row), used: this.used(row.host) };
  }

  private toPlacedOn({ stopped, ...row }: ServiceRow): PlacedOn {
    const age = this.now().getTime() - row.lastReportAt.getTime();
    const up = !row.forcedDown && !stopped && age < this.options.serviceDownTime;
    return { ...row, up };
  }

  used(host: HostName): Capacity {
    const placed = [...this.instances.values()].filter((row) => row.host === host && row.deletedAt === null);
    const sum = (part: keyof Capacity) => placed.reduce((total, row) => total + row.placed[part], 0);
    return { vcpus: sum('vcpus'), memoryMib: sum('memoryMib'), diskGib: sum('diskGib') };
  }
}

export const serviceKey = (host: HostName, binary: Service['binary']): string => `${binary} ${host}`;

export const isOpen = (state: OperationState): boolean => state !== 'succeeded' && state !== 'failed';

export const later = (from: Date, delay: number): Date => new Date(from.getTime() + delay);

export function appended(timeline: readonly TimelineEntry[], at: Date, state: OperationState, note: string) {
  const last = timeline.at(-1);
  if (last?.state === state && last.note === note) return timeline;
  return [...timeline, { at: at.toISOString(), state, note }].slice(-TIMELINE_LIMIT);
}

/** When an open operation is due: by its own state, but not before another's lease has run out. */
export function dueAt(row: OperationRow): number | null {
  if (!isOpen(row.state)) return null;
  const own = row.state === 'queued' ? row.createdAt : row.state === 'waiting' ? row.nextAt : row.deadline;
  if (own === null) return null;
  return Math.max(own.getTime(), row.leaseUntil?.getTime() ?? 0);
}

export function toOperation(row: OperationRow): Operation {
  const { claimedBy: _claimedBy, leaseUntil: _leaseUntil, attemptSeq: _attemptSeq, ...operation } = row;
  return operation;
}
export function toInstance({
  placed: _placed,
  userData: _userData,
  keyData: _keyData,
  ...instance
}: InstanceRow): Instance {
  return instance;
}
export function toMapping({ refused: _refused, ...mapping }: MappingRow): BlockDeviceMapping {
  return mapping;
}
export function toAction(
  { operationId: _operation, seq: _seq, finished: _finished, ...action }: ActionRow,
  withEvents: boolean,
): InstanceAction {
  return withEvents ? action : { ...action, events: [] };
}
