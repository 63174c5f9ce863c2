import { gib, gibToBytes, type OperationState, type ServerId, type VolumeId, type WaitingFor } from '@novella/core';
import type { Accepted, Asked, Ending, Ledger, SizeChange } from './ledger.js';

/** What an operator reads of an operation by `novella-manage operation list`. */
export interface OperationSpan {
  readonly server: ServerId;
  readonly volume: VolumeId;
  readonly state: OperationState;
  readonly waitingFor: WaitingFor | null;
  readonly requests: number;
  readonly createdAt: number;
  readonly endedAt: number | null;
}

/** Something that must not be, told so that it can be looked for in the logs. */
export interface Breach {
  readonly server: ServerId;
  readonly volume: VolumeId;
  readonly what: string;
}

export interface Verdict {
  readonly accepted: number;
  readonly done: number;
  /** By the code of the reason. */
  readonly failed: ReadonlyMap<string, number>;
  /** Not ended, but it waits for something that has a name and a wake-up. By that name. */
  readonly parked: ReadonlyMap<string, number>;
  readonly lost: readonly Breach[];
  readonly doubleApplied: readonly Breach[];
  readonly falseSuccess: readonly Breach[];
  /** From the POST until the end was recorded. */
  readonly slowestMs: number | null;
  readonly sizeChanges: number;
}

export const holds = ({ lost, doubleApplied, falseSuccess }: Verdict): boolean =>
  lost.length + doubleApplied.length + falseSuccess.length === 0;

/**
 * Pure. Accepted: HTTP 200 and 200 as the event's own code. Lost: accepted and neither ended nor parked. False success:
 * Success recorded while the hypervisor showed less than Cinder had when the event was posted. Double-applied: an
 * operation that changed the size more often than it was asked and Cinder grew while it was open (a second attempt takes
 * what Cinder has by then), a change that no operation was open for, one to more than Cinder was asked for, and any
 * decrease.
 */
export function judge(ledger: Ledger, operations: readonly OperationSpan[]): Verdict {
  const changes = groupBy(ledger.changes, ({ volume }) => volume);
  const spans = groupBy(operations, ({ volume }) => volume);
  const asked = groupBy(ledger.asked, ({ volume }) => volume);
  const failed = new Map<string, number>();
  const parked = new Map<string, number>();
  const lost: Breach[] = [];
  const falseSuccess: Breach[] = [];
  let slowestMs: number | null = null;
  for (const event of ledger.accepted) {
    const ending = ledger.endings.get(event);
    if (ending === undefined) {
      const waitingFor = parkedFor(event, spans.get(event.volume) ?? []);
      if (waitingFor === null) lost.push(breach(event, `${event.requestId} of ${time(event.answeredAt)} has no end`));
      else add(parked, waitingFor);
      continue;
    }
    slowestMs = Math.max(slowestMs ?? 0, ending.finishedAt - event.postedAt);
    if (ending.result === 'Error') add(failed, codeOf(ending));
    else falseSuccess.push(...falseSuccessOf(event, ending, changes.get(event.volume) ?? []));
  }
  return {
    accepted: ledger.accepted.length,
    done: ledger.count('Success'),
    failed,
    parked,
    lost,
    falseSuccess,
    doubleApplied: [...changes].flatMap(([volume, seen]) =>
      doubleAppliedOf(seen, asked.get(volume) ?? [], spans.get(volume) ?? []),
    ),
    slowestMs,
    sizeChanges: ledger.changes.length,
  };
}

/** An operation that is open and waits for something by name; who is merely not taken up again is lost. */
function parkedFor(event: Accepted, spans: readonly OperationSpan[]): WaitingFor | null {
  const open = spans.find(({ server, endedAt }) => server === event.server && endedAt === null);
  return open?.state === 'waiting' ? open.waitingFor : null;
}

/** `code: message` */
const codeOf = ({ details }: Ending): string => /^[a-z-]+(?=:)/.exec(details ?? '')?.[0] ?? 'no reason';

function falseSuccessOf(event: Accepted, ending: Ending, changes: readonly SizeChange[]): Breach[] {
  const wanted = gibToBytes(gib(event.sizeGib));
  const seen = changes.filter(({ at }) => at <= ending.finishedAt).at(-1)?.toBytes ?? 0;
  if (seen >= wanted) return [];
  return [breach(event, `${event.requestId} is Success with ${wanted} bytes, the hypervisor shows ${seen}`)];
}

/** All of one volume. */
function doubleAppliedOf(
  changes: readonly SizeChange[],
  asked: readonly Asked[],
  spans: readonly OperationSpan[],
): Breach[] {
  const breaches: Breach[] = [];
  const changesOf = new Map<OperationSpan, number>();
  for (const change of changes) {
    const { fromBytes, toBytes, at } = change;
    if (toBytes < fromBytes) breaches.push(breach(change, `${fromBytes} became ${toBytes} at ${time(at)}`));
    const before = asked.filter((each) => each.at <= at).map(({ sizeGib }) => gibToBytes(gib(sizeGib)));
    const most = Math.max(0, ...before);
    if (toBytes > most) breaches.push(breach(change, `${toBytes} at ${time(at)}, Cinder was asked for ${most}`));
    const owner = spans.find(({ createdAt, endedAt }) => createdAt <= at && at <= (endedAt ?? at));
    if (owner === undefined) breaches.push(breach(change, `${toBytes} at ${time(at)} while no operation was open`));
    else changesOf.set(owner, (changesOf.get(owner) ?? 0) + 1);
  }
  for (const [operation, count] of changesOf) {
    const { requests, createdAt, endedAt } = operation;
    const grown = asked.filter(({ at }) => at >= createdAt && at <= (endedAt ?? at)).length;
    if (count <= requests + grown) continue;
    breaches.push(breach(operation, `${count} changes for ${requests} requests and ${grown} growths`));
  }
  return breaches;
}

const breach = ({ server, volume }: { server: ServerId; volume: VolumeId }, what: string): Breach => ({
  server,
  volume,
  what,
});
const time = (at: number): string => new Date(at).toISOString();
const add = (counts: Map<string, number>, name: string): void => void counts.set(name, (counts.get(name) ?? 0) + 1);

function groupBy<T, K>(values: readonly T[], keyOf: (value: T) => K): Map<K, T[]> {
  const groups = new Map<K, T[]>();
  for (const value of values) {
    const group = groups.get(keyOf(value));
    if (group === undefined) groups.set(keyOf(value), [value]);
    else group.push(value);
  }
  return groups;
}
