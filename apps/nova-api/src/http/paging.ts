import type { Links } from './links.js';

/** The page size of a list with markers: what is asked for, at most `maxLimit`. A page of 0 is empty, as in Nova. */
export const pageLimit = (asked: string | undefined, maxLimit: number): number =>
  Math.min(Number(asked ?? maxLimit), maxLimit);

/** The page size of a list with offsets, where Nova takes 0 for the most. */
export const offsetLimit = (asked: string | undefined, maxLimit: number): number =>
  pageLimit(Number(asked ?? 0) === 0 ? undefined : asked, maxLimit);

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
