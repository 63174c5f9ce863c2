import { formatMicroversion, MAX_MICROVERSION, MIN_MICROVERSION } from '../../apps/nova-api/src/http/microversion.js';
import { ADMIN, USER } from '../../apps/nova-api/src/testing/start-nova-api.js';
import type { KnownValues } from './known-values.js';
import { isVersioned, parametersOf, type Route, urlOf } from './routes.js';
import type { World } from './world.js';

/** Reads all that can be read, lists before what they list, and keeps what the answers name. */
export async function learnFrom({ api, routes }: Pick<World, 'api' | 'routes'>, known: KnownValues): Promise<void> {
  const asks = [
    { version: formatMicroversion(MIN_MICROVERSION), as: ADMIN },
    { version: formatMicroversion(MAX_MICROVERSION), as: ADMIN },
    { version: formatMicroversion(MAX_MICROVERSION), as: USER },
  ];
  const reads = routes
    .filter((route) => route.method === 'GET' && isVersioned(route))
    .toSorted((a, b) => depth(a) - depth(b));
  for (const route of reads) {
    for (const parameters of parameterSets(route, known)) {
      const path = urlOf(route, parameters);
      for (const ask of asks) {
        const { code, json } = await api.ask('GET', path, ask);
        if (code < 300) known.learn(path, json);
      }
    }
  }
}

const MOST = 8;

/** Values for the parameters of a route, the likeliest first. */
export function parameterSets(route: Route, known: KnownValues): (readonly string[])[] {
  let sets: { readonly values: readonly string[]; readonly score: number }[] = [{ values: [], score: 0 }];
  for (const [index, name] of parametersOf(route).entries()) {
    const parts = route.url.split('/:').slice(0, index + 1);
    sets = sets.flatMap(({ values, score }) => {
      const path = urlOf({ ...route, url: parts.join('/:') }, values);
      const likely = known.forParameter(path, name).slice(0, MOST);
      return likely.map((each) => ({ values: [...values, each.value], score: score + each.score }));
    });
  }
  const sorted = sets.toSorted((a, b) => b.score - a.score);
  return sorted.slice(0, MOST).map(({ values }) => values);
}

const depth = ({ url }: Route): number => url.split('/').length;
