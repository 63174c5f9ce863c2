/** What an application credential may be used for: one request of one service. */
export interface AccessRule {
  /** The service's type in the catalog. */
  readonly service: string;
  readonly method: string;
  /** `/v2.1/servers/{server_id}/**`: see `pathMatches`. */
  readonly path: string;
}

export interface AskedFor {
  readonly method: string;
  /** As it stands in the request, without its query: `/v2.1/servers`. */
  readonly path: string;
}

export const isAllowed = (rules: readonly AccessRule[], serviceType: string, { method, path }: AskedFor): boolean =>
  rules.some((rule) => rule.method === method && rule.service === serviceType && pathMatches(path, rule.path));

const PIECE = /(?<one>\{[^}]*\}|\*(?=$|[^*]))|(?<any>\*\*)|(?<literal>[^{}*])/g;

/**
 * `*` and `{name}` are one part of the path, `**` is any number of them. Mirrors
 * keystonemiddleware:auth_token/__init__.py _path_matches, but that a dot is a dot.
 */
export function pathMatches(path: string, pattern: string): boolean {
  let expression = '';
  for (const { groups = {} } of pattern.matchAll(PIECE)) {
    if (groups['one'] !== undefined) expression += '[^/]+';
    else if (groups['any'] !== undefined) expression += '.*';
    else expression += (groups['literal'] ?? '').replace(/[\\^$.|?+()[\]/-]/g, '\\$&');
  }
  return new RegExp(`^${expression}$`, 's').test(path);
}
