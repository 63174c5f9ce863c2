import { join } from 'node:path';
import { formatMicroversion, MAX_MICROVERSION } from '../../apps/nova-api/src/http/microversion.js';
import { isDescribed, pathOf } from './describe.js';
import type { Found, Operation } from './operations.js';
import { isVersioned } from './routes.js';

/** The table of all that is served, as it stands in docs/api-reference.md. */
export const REFERENCE_FILE = join(import.meta.dirname, '..', '..', 'docs', 'api-reference.md');
const BEGIN = '<!-- table of routes: begin -->';
const END = '<!-- table of routes: end -->';

export function routeTable({ operations }: Found): string {
  const rows = operations
    .filter(({ route }) => isDescribed(route))
    .toSorted((a, b) => compare(sortKey(a), sortKey(b)))
    .map((operation) => `| ${request(operation)} | ${versions(operation)} | ${guard(operation)} |`);
  return ['| request | microversions | rule that guards it |', '|---|---|---|', ...rows].join('\n');
}

/** The text with the table in it in place of the one that is there. */
export function withTable(text: string, table: string): string {
  const [begin, end] = [text.indexOf(BEGIN), text.indexOf(END)];
  if (begin < 0 || end < begin) throw new Error(`no place for the table: ${BEGIN} ... ${END}`);
  return `${text.slice(0, begin + BEGIN.length)}\n${table}\n${text.slice(end)}`;
}

const compare = (a: string, b: string): number => (a < b ? -1 : Number(a > b));
const sortKey = ({ route, action }: Operation): string => [pathOf(route), route.method, action ?? ''].join(' ');

function request({ route, action }: Operation): string {
  const path = pathOf(route).replace('/v2.1/', '/');
  return `\`${route.method} ${path}\`${action === null ? '' : ` \`${action}\``}`;
}

function versions({ route, stretches }: Operation): string {
  const [first, last] = [stretches[0], stretches.at(-1)];
  if (!isVersioned(route) || first === undefined || last === undefined) return '';
  const from = formatMicroversion(first.from);
  return last.to === MAX_MICROVERSION ? `from ${from}` : `${from} to ${formatMicroversion(last.to)}`;
}

function guard({ route, rules }: Operation): string {
  const [rule] = rules;
  if (rule !== undefined) return `\`${rule}\``;
  return isVersioned(route) ? 'any token' : 'none, no token';
}
