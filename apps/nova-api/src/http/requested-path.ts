/**
 * What a URL asks for, before routing. `/v2`, `/v2.1` and a project id in the path are taken off here, so that each
 * resource has one route.
 */
export type RequestedPath =
  | { readonly kind: 'versions' | 'health' | 'description' | 'choices' }
  | { readonly kind: 'version'; readonly legacy: boolean }
  | {
      readonly kind: 'resource';
      readonly legacy: boolean;
      readonly projectId: string | null;
      /** Without version and project: `/servers/detail`. */
      readonly path: string;
    };

const HEALTH = /^\/health(\/(live|ready))?$/;
const DESCRIPTION = '/openapi.json';
const VERSIONED = /^\/(v2\.1|v2)(\/.*)?$/;
const PROJECT = /^\/([0-9a-f-]+)(\/.+)$/;

/** What stands before the path when a client sends a whole URL, as to a proxy (RFC 9112, 3.2.2). */
const ORIGIN = /^https?:\/\/[^/?#]*/i;
const withoutOrigin = (url: string): string => (url.startsWith('/') ? url : url.replace(ORIGIN, ''));

export function requestedPath(url: string): RequestedPath {
  const path = withoutOrigin(url).split('?', 1)[0] ?? '/';
  if (path === '/' || path === '') return { kind: 'versions' };
  if (HEALTH.test(path)) return { kind: 'health' };
  if (path === DESCRIPTION) return { kind: 'description' };
  const versioned = VERSIONED.exec(path);
  if (versioned === null) return { kind: 'choices' };
  const legacy = versioned[1] === 'v2';
  const rest = versioned[2] ?? '/';
  if (rest === '/') return { kind: 'version', legacy };
  const inProject = PROJECT.exec(rest);
  return inProject === null
    ? { kind: 'resource', legacy, projectId: null, path: rest }
    : { kind: 'resource', legacy, projectId: inProject[1] ?? null, path: inProject[2] ?? '/' };
}

/** The URL under which the route is declared: `/v2.1/...` for every resource. */
export function routedUrl(url: string): string {
  const question = url.indexOf('?');
  const query = question < 0 ? '' : url.slice(question);
  const requested = requestedPath(url);
  switch (requested.kind) {
    case 'versions':
      return `/${query}`;
    case 'health':
      return withoutOrigin(url);
    case 'description':
      return DESCRIPTION;
    case 'choices':
      return '/choices';
    case 'version':
      return requested.legacy ? '/v2' : '/v2.1';
    case 'resource':
      return `/v2.1${requested.path}${query}`;
  }
}
