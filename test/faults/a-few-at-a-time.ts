/**
 * Starts `run` for each item, at most `atOnce` at a time, in their order. Each item's result is there for whoever asks
 * for it, when it has ended; a failure is nobody's business until then.
 */
export function startAll<Item, Result>(
  items: readonly Item[],
  atOnce: number,
  run: (item: Item) => Promise<Result>,
): ReadonlyMap<Item, Promise<Result>> {
  const results = new Map<Item, Promise<Result>>();
  const waiting: (() => Promise<unknown>)[] = [];
  for (const item of items) {
    const result = new Promise<Result>((resolve) => {
      waiting.push(() => {
        const running = run(item);
        resolve(running);
        return running.catch(() => undefined);
      });
    });
    result.catch(() => undefined);
    results.set(item, result);
  }
  const work = async (): Promise<void> => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) await next();
  };
  for (let worker = 0; worker < atOnce; worker++) void work();
  return results;
}
