import type { ClientOf, conductorRpc } from '@novella/contracts';
import { millis, NovellaError, toErrorRecord } from '@novella/core';
import type { Operation, Store } from '@novella/persistence';
import type { Journal } from '../../apps/compute/src/journal.js';
import type { Mutation } from './deployment-io.js';

/** The product with one of its rules broken; the simulation must find each. */
export function mutatedStore(store: Store, mutation: Mutation | null): Store {
  switch (mutation) {
    case 'store-ignores-versions': {
      // With a lease so short that two conductors do meet on one operation; by itself that costs only time.
      const careless = withPresentVersions(store);
      return { ...careless, claimDue: (by, _lease, limit) => careless.claimDue(by, millis(1), limit) };
    }
    case 'deadline-is-failure':
      return {
        ...store,
        claimDue: async (by, lease, limit) => {
          const claimed = await store.claimDue(by, lease, limit);
          const late = claimed.filter(({ state }) => state === 'dispatched');
          const error = toErrorRecord(new NovellaError('rpc-timeout', 'the host did not answer in time'));
          for (const operation of late) await store.end(operation, { result: 'failed', error });
          return claimed.filter((operation) => !late.includes(operation));
        },
      };
    case 'no-second-look':
      return {
        ...store,
        claimDue: async (by, lease, limit) => {
          const claimed = await store.claimDue(by, lease, limit);
          return claimed.filter(({ state }) => state !== 'dispatched');
        },
      };
    default:
      return store;
  }
}

/** Each write goes through whatever was written since. */
function withPresentVersions(store: Store): Store {
  const present = async (operation: Operation): Promise<Operation> => {
    const now = await store.operation(operation.id);
    return now === null ? operation : { ...operation, version: now.version, decidedSeq: now.decidedSeq };
  };
  return {
    ...store,
    dispatch: async (operation, input) => store.dispatch(await present(operation), input),
    advance: async (operation, input) => store.advance(await present(operation), input),
    wait: async (operation, input) => store.wait(await present(operation), input),
    end: async (operation, input) => store.end(await present(operation), input),
    undoDispatch: async (operation, nextIn) => store.undoDispatch(await present(operation), nextIn),
  };
}

export function mutatedJournal(journal: Journal, mutation: Mutation | null): Journal {
  if (mutation !== 'journal-admits-all') return journal;
  journal.admit = () => Promise.resolve('admitted');
  journal.check = () => Promise.resolve();
  return journal;
}

type Reports = ClientOf<typeof conductorRpc>;

export function mutatedReports(conductor: Reports, mutation: Mutation | null): Reports {
  if (mutation !== 'host-reports-what-was-wanted') return conductor;
  return {
    ...conductor,
    operation_result: (result) => {
      const { outcome } = result;
      const small = outcome.status === 'failed' && outcome.error.code === 'host-device-too-small';
      if (!small) return conductor.operation_result(result);
      const wanted = outcome.error.facts['wanted'] as never;
      return conductor.operation_result({
        ...result,
        outcome: { status: 'grown', hostBytes: wanted, guestBytes: wanted },
      });
    },
  };
}
