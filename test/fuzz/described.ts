import type { AnswerKeys, Found } from '../api/operations.js';
import type { Route } from '../api/routes.js';
import type { FuzzAnswer } from './judge.js';
import type { FuzzRequest } from './requests.js';

/** Whether what was carried out was answered as the description of the API says. */
export type AsDescribed = (request: FuzzRequest, answer: FuzzAnswer) => string[];

export function asDescribed({ routes, operations }: Found): AsDescribed {
  const patterns = routes.map((route) => ({ route, pattern: patternOf(route), literals: literalsOf(route) }));
  const byLiterals = patterns.toSorted((a, b) => b.literals - a.literals);
  return ({ method, url }, { code, headers, text }) => {
    // 204 with a token is noauth2's offer to who has none.
    if (code >= 300 || method === 'HEAD' || headers['x-auth-token'] !== undefined) return [];
    const path = resourcePath(url);
    const route = byLiterals.find((each) => each.route.method === method && each.pattern.test(path))?.route;
    if (route === undefined) return [`${code} for what has no route`];
    const answers = operations.filter((each) => each.route === route).flatMap(({ successes }) => [...successes]);
    const meant = answers.filter(([described]) => described === code).map(([, keys]) => keys);
    if (meant.length === 0) return [`${code} is not described for ${method} ${route.url}`];
    return meant.some((keys) => isLike(keys, text, path)) ? [] : [`${code} with other keys than described`];
  };
}

function isLike(keys: AnswerKeys | null, text: string, path: string): boolean {
  if (text === '') return keys === null;
  const given = Object.keys(JSON.parse(text) as object);
  const known = [...(keys?.always ?? []), ...(keys?.sometimes ?? [])];
  // A key that the path has named is data.
  const named = decodeURIComponent(path.split('/').at(-1) ?? '');
  return (
    (keys?.always ?? []).every((key) => given.includes(key)) &&
    given.every((key) => known.includes(key) || key === named)
  );
}

/** As the router sees it: under /v2.1, without a project. */
const resourcePath = (url: string): string =>
  (url.split(/[?#]/, 1)[0] ?? '')
    .replace(/^\/v2(\.1)?\/+$/, '/v2$1')
    .replace(/^\/v2\//, '/v2.1/')
    .replace(/^\/v2\.1\/[0-9a-f-]+(\/.+)$/, '/v2.1$1');

const patternOf = ({ url }: Route): RegExp =>
  new RegExp(`^${url.replaceAll('.', '\\.').replaceAll(/:[^/]+/g, '[^/]+')}$`);
const literalsOf = ({ url }: Route): number => url.split('/').filter((part) => !part.startsWith(':')).length;
