import { NovellaError } from '@novella/core';
import type { Store } from '@novella/persistence';

export interface SchemaGate {
  readonly store: Store;
  /** Until it opens, each method of `store` rejects with `database-unreachable` and this reason. */
  readonly keepShut: (reason: unknown) => void;
  readonly open: () => void;
}

/** The store as the API uses it, which listens before the schema is known to be one that it can work on. */
export function schemaGate(behind: Store): SchemaGate {
  let shut: unknown = new NovellaError('database-unreachable', 'the schema was not looked at yet');
  const refuse = () => {
    const message = shut instanceof Error ? shut.message : String(shut);
    return Promise.reject(new NovellaError('database-unreachable', message, {}, { cause: shut }));
  };
  const store = new Proxy(behind, {
    get: (target, name): unknown => {
      // What is no method of a store (`then`, say) stays none.
      const passes = shut === null || name === 'close' || !(name in target);
      return passes ? Reflect.get(target, name) : refuse;
    },
  });
  return {
    store,
    keepShut: (reason) => void (shut = reason),
    open: () => void (shut = null),
  };
}
