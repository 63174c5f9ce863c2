import { NovellaError, type ProjectId, type UserId } from '@novella/core';
import { z } from 'zod';
import type { AccessRule } from './access-rules.js';
import type { Catalog, CatalogEndpoint } from './catalog.js';

/** What Keystone answers about a token, parsed into our own types. Mirrors keystone:keystone/models/token_model.py. */
const MAX_ID = 255;
const id = z.string().min(1).max(MAX_ID);
const time = z.iso.datetime({ offset: true }).transform((text) => Date.parse(text));

const service = z.looseObject({
  type: z.string(),
  endpoints: z
    .array(
      z
        .looseObject({
          interface: z.string(),
          url: z.string().nullish(),
          region: z.string().nullish(),
          region_id: z.string().nullish(),
        })
        .transform((wire) => ({
          interface: wire.interface,
          url: wire.url ?? null,
          region: wire.region_id ?? wire.region ?? null,
        })),
    )
    .default([])
    .transform((endpoints) => endpoints.filter((each): each is CatalogEndpoint => each.url !== null)),
});

const inDomain = z.looseObject({ id, domain: z.looseObject({ id }).nullish() });

const token = z.looseObject({
  user: inDomain,
  project: inDomain.nullish(),
  domain: z.looseObject({ id }).nullish(),
  system: z.looseObject({ all: z.boolean().optional() }).nullish(),
  roles: z.array(z.looseObject({ name: z.string() })).nullish(),
  issued_at: time,
  expires_at: time,
  catalog: z.array(service).nullish(),
  application_credential: z
    .looseObject({
      access_rules: z.array(z.looseObject({ service: z.string(), method: z.string(), path: z.string() })).nullish(),
    })
    .nullish(),
});

/** Who a token speaks for, as Keystone says. At most one of project, domain and system is there. */
export interface ValidatedToken {
  readonly userId: UserId;
  readonly userDomainId: string | null;
  readonly projectId: ProjectId | null;
  readonly projectDomainId: string | null;
  readonly domainId: string | null;
  readonly systemScope: 'all' | null;
  /** As Keystone writes them. */
  readonly roles: readonly string[];
  /** Milliseconds since 1970. */
  readonly expiresAt: number;
  /** Of an application credential that has them; null: it may do what its roles allow. */
  readonly restriction: {
    readonly rules: readonly AccessRule[];
    /** The types of the services in its catalog. */
    readonly services: readonly string[];
  } | null;
}

/** Error: keystone-answer-invalid. */
export function validatedToken(json: unknown): ValidatedToken {
  const wire = parse(json);
  const rules = wire.application_credential?.access_rules ?? null;
  return {
    userId: wire.user.id as UserId,
    userDomainId: wire.user.domain?.id ?? null,
    projectId: (wire.project?.id ?? null) as ProjectId | null,
    projectDomainId: wire.project?.domain?.id ?? null,
    domainId: wire.domain?.id ?? null,
    systemScope: wire.system?.all === true ? 'all' : null,
    // Keystone names a role twice when it is implied in two ways.
    roles: [...new Set((wire.roles ?? []).map(({ name }) => name))],
    expiresAt: wire.expires_at,
    restriction: rules === null ? null : { rules, services: (wire.catalog ?? []).map(({ type }) => type) },
  };
}

export interface IssuedToken {
  readonly projectId: ProjectId;
  readonly catalog: Catalog;
  /** From its issue to its end, in milliseconds. */
  readonly lifetime: number;
}

/** Error: keystone-answer-invalid; also for a token without a project, which no service takes. */
export function issuedToken(json: unknown): IssuedToken {
  const wire = parse(json);
  if (wire.project === undefined || wire.project === null) {
    throw new NovellaError('keystone-answer-invalid', 'the token for our own credentials has no project');
  }
  return {
    projectId: wire.project.id as ProjectId,
    catalog: wire.catalog ?? [],
    lifetime: wire.expires_at - wire.issued_at,
  };
}

function parse(json: unknown): z.output<typeof token> {
  const parsed = z.object({ token }).safeParse(json);
  if (parsed.success) return parsed.data.token;
  // Zod names paths and what it expected, never what it got.
  const message = `Keystone's answer about a token: ${z.prettifyError(parsed.error)}`;
  throw new NovellaError('keystone-answer-invalid', message);
}
