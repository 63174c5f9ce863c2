import type { FastifyRequest } from 'fastify';

/** Absolute URLs in answers. Mirrors nova:nova/api/openstack/common.py ViewBuilder. */
export interface Links {
  /** `http://host/v2.1/<project>/servers/<id>`: version and project as the request had them. */
  self(path: string): string;
  /** The same without the version. */
  bookmark(path: string): string;
}

export interface LinkConfig {
  /** Replaces scheme, host and path prefix of every link; null: the request's own. */
  readonly computeLinkPrefix: string | null;
  /** Believe Forwarded (RFC 7239), else X-Forwarded-Proto and -Host, and -Prefix; only behind a proxy that sets them. */
  readonly trustForwardedHeaders: boolean;
}
type Request = Pick<FastifyRequest, 'headers' | 'protocol'>;

/** Mirrors oslo.middleware's http_proxy_to_wsgi: what the first proxy has seen counts. */
export function linkBase(request: Request, config: LinkConfig): string {
  if (config.computeLinkPrefix !== null) return config.computeLinkPrefix.replace(/\/+$/, '');
  const { proto, host, prefix } = config.trustForwardedHeaders ? forwardedOf(request) : {};
  const path = (prefix ?? '').replace(/^\/+|\/+$/g, '');
  return `${proto ?? request.protocol}://${host ?? request.headers.host ?? 'localhost'}${path === '' ? '' : `/${path}`}`;
}

interface Forwarded {
  readonly proto?: string | undefined;
  readonly host?: string | undefined;
  readonly prefix?: string | undefined;
}

/** What is no scheme, host or path is as if it were not said. */
function forwardedOf({ headers }: Request): Forwarded {
  const said =
    headers.forwarded === undefined
      ? { proto: firstOf(headers['x-forwarded-proto']), host: firstOf(headers['x-forwarded-host']) }
      : firstProxy(headers.forwarded);
  return {
    proto: matching(/^https?$/i, said.proto)?.toLowerCase(),
    host: matching(/^[A-Za-z0-9._:[\]-]+$/, said.host),
    prefix: matching(/^[A-Za-z0-9._~!$&'()*+,;=:@%/-]+$/, firstOf(headers['x-forwarded-prefix'])),
  };
}

/** `for=192.0.2.1;proto=https;host="api.example:8443", for=...` */
function firstProxy(header: string): Pick<Forwarded, 'proto' | 'host'> {
  const [first = ''] = header.split(',');
  const pairs = first.split(';').map((pair): [string, string] => {
    const [name = '', value = ''] = pair.split(/=(.*)/s);
    return [name.trim().toLowerCase(), value.trim().replace(/^"(.*)"$/s, '$1')];
  });
  const { proto, host } = Object.fromEntries(pairs) as Record<string, string | undefined>;
  return { proto, host };
}

const matching = (pattern: RegExp, text: string | undefined): string | undefined =>
  text !== undefined && pattern.test(text) ? text : undefined;

export function linksFor(base: string, at: { legacy: boolean; projectId: string | null }): Links {
  const project = at.projectId === null ? '' : `/${at.projectId}`;
  return {
    self: (path) => `${base}/${at.legacy ? 'v2' : 'v2.1'}${project}${path}`,
    bookmark: (path) => `${base}${project}${path}`,
  };
}

function firstOf(header: string | string[] | undefined): string | undefined {
  const value = (Array.isArray(header) ? header[0] : header)?.split(',', 1)[0]?.trim();
  return value === '' ? undefined : value;
}
