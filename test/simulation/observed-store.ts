import type { Bytes } from '@novella/core';
import type { Operation, Store } from '@novella/persistence';
import type { Watch } from './watch.js';

/** What came later goes on with it without the host's answer, and its own command sees to what that may still do. */
const ENDED_BY_A_LATER_ONE: ReadonlySet<string> = new Set(['server-deleted', 'server-rebooted']);

/**
 * The store, watched from beside: no operation may be written without an owner and a next step, and no extend may end
 * well while its guest, or the device of a guest that is off, has less than was asked for.
 */
export function observedStore(store: Store, world: Watch): Store {
  const watched = (written: Operation | 'excluded' | null): void => {
    if (written === null || written === 'excluded') return;
    const { state, waitingFor, nextAt, deadline, fence, id, kind } = written;
    if (state === 'waiting' && (waitingFor === null || nextAt === null)) world.wrong(`${kind} ${id} waits for nothing`);
    if (state === 'dispatched' && (deadline === null || fence === null)) {
      world.wrong(`${kind} ${id} is dispatched without a deadline or fence`);
    }
    const on = written.waitingFor === null ? (written.step ?? '') : `for ${written.waitingFor}`;
    world.trace.say(
      'store',
      `${kind} ${id.slice(0, 4)} ${state} ${on} attempt ${written.attempt} ${written.error?.code ?? ''}`,
    );
  };
  const seen = async <T extends Operation | 'excluded' | null>(write: Promise<T>): Promise<T> => {
    const written = await write;
    watched(written);
    return written;
  };
  return {
    ...store,
    dispatch: (operation, input) => seen(store.dispatch(operation, input)),
    undoDispatch: (operation, nextIn) => seen(store.undoDispatch(operation, nextIn)),
    advance: (operation, input) => seen(store.advance(operation, input)),
    wait: (operation, input) => seen(store.wait(operation, input)),
    async end(operation, input) {
      const before = operation.kind === 'extend' ? await sizeNow(world, operation) : null;
      const written = await seen(store.end(operation, input));
      if (written === null) return written;
      const isAnswered = input.result === 'succeeded' || !ENDED_BY_A_LATER_ONE.has(input.error.code);
      if (isAnswered && written.fence !== null) rememberFence(world, written, written.fence);
      if (operation.kind === 'extend' && input.result === 'succeeded') await noFalseSuccess(world, operation, before);
      return written;
    },
  };
}

function rememberFence({ endedFences }: Watch, { serverId, volumeId }: Operation, fence: number): void {
  const key = volumeId === null ? serverId : `${serverId} ${volumeId}`;
  endedFences.set(key, Math.max(fence, endedFences.get(key) ?? 0));
}

/** What the guest sees, or what the device has while the guest is off; null when the guest has no such disk. */
async function sizeNow(world: Watch, { serverId, volumeId }: Operation): Promise<Bytes | null> {
  const found = await world.guestOf(serverId);
  const disk = found?.guest.disks.find(({ volume }) => volume === volumeId);
  if (disk === undefined) return null;
  return disk.guestBytes ?? world.storage.bytesOf(disk.path);
}

async function noFalseSuccess(world: Watch, operation: Operation, before: Bytes | null): Promise<void> {
  const { serverId, volumeId } = operation;
  const size = Math.max(before ?? 0, (await sizeNow(world, operation)) ?? 0);
  if (size === 0) return;
  for (const asked of world.asked) {
    if (asked.server !== serverId || asked.volume !== volumeId || asked.wanted === null || asked.ended) continue;
    const action = await world.store.instanceAction(serverId, asked.requestId);
    const result = action?.events[0]?.result ?? null;
    if (result === null) continue;
    asked.ended = true;
    if (result === 'Success' && size < asked.wanted) {
      world.wrong(`false success: ${volumeId} of ${serverId} has ${size} bytes, ${asked.wanted} were asked for`);
    }
  }
}
