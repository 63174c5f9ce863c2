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
  /** Believe X-Forwarded-Proto, -Host and -Prefix; only behind a proxy that sets them. */
  readonly trustForwardedHeaders: boolean;
}

export function linkBase(request: Pick<FastifyRequest, 'headers' | 'protocol'>, config: LinkConfig): string {
  if (config.computeLinkPrefix !== null) return config.computeLinkPrefix.replace(/\/+$/, '');
  const forwarded = (name: string): string | undefined =>
    config.trustForwardedHeaders ? firstOf(request.headers[`x-forwarded-${name}`]) : undefined;
  const protocol = forwarded('proto') ?? request.protocol;
  const host = forwarded('host') ?? request.headers.host ?? 'localhost';
  const prefix = (forwarded('prefix') ?? '').replace(/^\/*|\/+$/g, '');
  return `${protocol}://${host}${prefix === '' ? '' : `/${prefix}`}`;
}

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
