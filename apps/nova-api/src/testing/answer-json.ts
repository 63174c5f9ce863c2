import type { ServerId } from '@novella/core';

/** What tests read out of answers; which part is there depends on the answer. */
export interface AnswerJson {
  readonly badRequest: FaultJson;
  readonly forbidden: FaultJson;
  readonly itemNotFound: FaultJson;
  readonly conflictingRequest: FaultJson;
  readonly computeFault: FaultJson;
  readonly serviceUnavailable: FaultJson;
  readonly events: readonly { readonly code: number; readonly tag?: string }[];
  readonly server: ServerJson;
  readonly servers: readonly ServerJson[];
  readonly servers_links?: readonly LinkJson[];
  readonly flavor: Readonly<Record<string, unknown>>;
  readonly flavors: readonly { readonly id: string }[];
  readonly flavors_links?: readonly LinkJson[];
  readonly metadata: Readonly<Record<string, string>>;
  readonly tags: readonly string[];
  readonly flavor_access: readonly { readonly flavor_id: string; readonly tenant_id: string }[];
  readonly extra_specs: Readonly<Record<string, string>>;
  readonly keypair: Readonly<Record<string, unknown>>;
  readonly keypairs: readonly { readonly keypair: Readonly<Record<string, unknown>> }[];
  readonly keypairs_links?: readonly LinkJson[];
  readonly limits: { readonly rate: readonly unknown[]; readonly absolute: Readonly<Record<string, number>> };
  readonly quota_set: Readonly<Record<string, unknown>>;
  readonly extension: Readonly<Record<string, unknown>>;
  readonly extensions: readonly Readonly<Record<string, unknown>>[];
  readonly volumeAttachment: AttachmentJson;
  readonly volumeAttachments: readonly AttachmentJson[];
  readonly instanceAction: ActionJson;
  readonly instanceActions: readonly ActionJson[];
  readonly service: HostJson;
  readonly services: readonly HostJson[];
  readonly hypervisor: HostJson;
  readonly hypervisors: readonly HostJson[];
  readonly hypervisors_links?: readonly LinkJson[];
  readonly links?: readonly LinkJson[];
  readonly versions: readonly VersionJson[];
  readonly version: VersionJson;
  readonly choices: readonly VersionJson[];
  /** Of WebOb's flat form. */
  readonly code: string;
}

interface FaultJson {
  readonly code: number;
  readonly message: string;
}
interface LinkJson {
  readonly href: string;
}
interface ServerJson {
  readonly [key: string]: unknown;
  readonly id: ServerId;
  readonly links: readonly LinkJson[];
  readonly flavor: Readonly<Record<string, unknown>>;
}
interface AttachmentJson {
  readonly volumeId: string;
  readonly device: string;
}
interface ActionJson {
  readonly action: string;
  readonly request_id: string;
  readonly start_time: string;
  readonly events: readonly Readonly<Record<string, unknown>>[];
}
/** A service or a hypervisor. */
interface HostJson {
  readonly [key: string]: unknown;
  readonly id: string | number;
}
interface VersionJson {
  readonly id: string;
  readonly version: string;
  readonly links: readonly LinkJson[];
  readonly 'media-types': readonly { readonly base: string }[];
}
