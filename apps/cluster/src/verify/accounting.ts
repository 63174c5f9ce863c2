import type { ServerId } from '@novella/core';
import type { Store } from '@novella/persistence';
import type { Deployment } from './deployment.js';
import type { Follower } from './follower.js';
import { judge, type OperationSpan, type Verdict } from './judge.js';
import type { Ledger } from './ledger.js';
import { comesTrue } from './waiting.js';

/** Who has no end after this time, with everything mended, is lost or must have a reason. */
const LOST_AFTER_MS = 120_000;
const HEAL_LIMIT_MS = 120_000;
const LOOK_MS = 250;
const MOST_OPERATIONS = 100_000;

export interface Settled {
  readonly verdict: Verdict;
  /** From when everything served again until every event had an end; null: not all have one. */
  readonly settledInMs: number | null;
}

/** Waits until everything serves and every event has ended, or may be called lost; then judges. */
export async function settle(
  deployment: Deployment,
  { ledger, follower, signal }: { ledger: Ledger; follower: Follower; signal: AbortSignal },
): Promise<Settled> {
  const all = async () => (await Promise.all(deployment.parts.map((part) => part.serves()))).every(Boolean);
  if (!(await comesTrue(all, HEAL_LIMIT_MS, signal))) throw new Error('not every part serves again; the logs say why');
  const healedAt = performance.now();
  const ended = await comesTrue(() => follower.open === 0, LOST_AFTER_MS, signal, LOOK_MS);
  const settledInMs = ended ? performance.now() - healedAt : null;
  await follower.stop();
  const servers = new Set(ledger.accepted.map(({ server }) => server));
  return { verdict: judge(ledger, await operationsOf(deployment.store, servers)), settledInMs };
}

async function operationsOf(store: Store, servers: ReadonlySet<ServerId>): Promise<OperationSpan[]> {
  const spans: OperationSpan[] = [];
  for (const serverId of servers) {
    for (const operation of await store.operations({ serverId, limit: MOST_OPERATIONS })) {
      const { kind, volumeId, state, waitingFor, requestedSeq, createdAt, endedAt } = operation;
      if (kind !== 'extend' || volumeId === null) continue;
      spans.push({
        server: serverId,
        volume: volumeId,
        state,
        waitingFor,
        requests: requestedSeq,
        createdAt: createdAt.getTime(),
        endedAt: endedAt?.getTime() ?? null,
      });
    }
  }
  return spans;
}
