import { badRequest, noSuch } from '../faults.js';

export type Query = Readonly<Record<string, string | string[] | undefined>>;
/** cinder.conf osapi_max_limit */
const LARGEST_PAGE = 1000;

export const textOf = (query: Query, key: string): string | undefined => {
  const value = query[key];
  return Array.isArray(value) ? value[0] : value;
};

export const isTrue = (text: string | undefined): boolean =>
  text !== undefined && ['1', 't', 'true', 'on', 'y', 'yes'].includes(text.toLowerCase());

/**
 * The page after `marker`, newest first. There is a next page as far as Cinder tells when this one is full.
 * Errors: 400 for a limit that is no count; 404 for a marker that is not there.
 */
export function pageOf<T extends { readonly id: string; readonly createdAt: string }>(
  items: readonly T[],
  query: Query,
): { page: T[]; next: string | null } {
  const limitText = textOf(query, 'limit');
  if (limitText !== undefined && !/^\d{1,9}$/.test(limitText)) throw badRequest('limit param must be an integer');
  const limit = Math.min(Number(limitText ?? LARGEST_PAGE), LARGEST_PAGE);
  const newestFirst = items.toSorted((a, b) => b.createdAt.localeCompare(a.createdAt) || b.id.localeCompare(a.id));
  const marker = textOf(query, 'marker');
  const at = marker === undefined ? -1 : newestFirst.findIndex(({ id }) => id === marker);
  if (marker !== undefined && at < 0) throw noSuch('Volume', marker);
  const page = newestFirst.slice(at + 1, at + 1 + limit);
  const last = page.at(-1);
  return { page, next: last !== undefined && page.length === limit ? last.id : null };
}
