import type { Links } from './links.js';

/** The page size that a request gets: what it asks for, at most `maxLimit`; 0 and absence mean the most. */
export function pageLimit(asked: string | undefined, maxLimit: number): number {
  const wanted = Number(asked ?? 0);
  return wanted === 0 ? maxLimit : Math.min(wanted, maxLimit);
}

/** The link to the page after `marker`: the same query with another marker. */
export function nextPageLink(
  links: Links,
  path: string,
  query: object,
  marker: string,
): { rel: 'next'; href: string }[] {
  const next = new URLSearchParams();
  for (const [key, value] of Object.entries<string | string[] | undefined>({ ...query, marker })) {
    for (const one of typeof value === 'string' ? [value] : (value ?? [])) next.append(key, one);
  }
  return [{ rel: 'next', href: `${links.self(path)}?${next.toString()}` }];
}
