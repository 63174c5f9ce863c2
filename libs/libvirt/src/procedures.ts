import { PROGRAM } from './frame.js';
import { type DomainRef, domainRef, type SecretRef, secretRef, text, uuid } from './wire-types.js';
import { array, char, type Codec, fixedArray, int, nothing, opaque, optional, struct, uhyper, uint } from './xdr.js';

/** What can be called: number, arguments, result. libvirt:src/remote/remote_protocol.x */
export interface Procedure<Args, Result> {
  readonly program: number;
  readonly number: number;
  readonly args: Codec<Args>;
  readonly result: Codec<Result>;
}

function remote<Args, Result>(number: number, args: Codec<Args>, result: Codec<Result>): Procedure<Args, Result> {
  return { program: PROGRAM.remote, number, args, result };
}

const DOMAIN_LIST_LIMIT = 16_384;
/** REMOTE_AUTH_TYPE_LIST_MAX */
const AUTH_TYPE_LIMIT = 20;
/** REMOTE_SECRET_LIST_MAX, REMOTE_SECRET_VALUE_MAX */
const SECRET_LIST_LIMIT = 16_384;
const SECRET_VALUE_LIMIT = 65_536;

const onSecret = struct<{ secret: SecretRef }>({ secret: secretRef });
const onDomain = struct<{ domain: DomainRef }>({ domain: domainRef });
const withFlags = struct<{ domain: DomainRef; flags: number }>({ domain: domainRef, flags: uint });
const withDevice = struct<{ domain: DomainRef; xml: string; flags: number }>({
  domain: domainRef,
  xml: text,
  flags: uint,
});

export const PROCEDURES = {
  connectOpen: remote(1, struct({ name: optional(text), flags: uint }), nothing),
  connectClose: remote(2, nothing, nothing),
  connectGetType: remote(3, nothing, struct({ type: text })),
  /** major * 1,000,000 + minor * 1,000 + release */
  connectGetVersion: remote(4, nothing, struct({ version: uhyper })),
  /** `memory` in KiB. */
  nodeGetInfo: remote(
    6,
    nothing,
    struct({
      model: fixedArray(char, 32),
      memory: uhyper,
      cpus: int,
      mhz: int,
      nodes: int,
      sockets: int,
      cores: int,
      threads: int,
    }),
  ),
  connectGetHostname: remote(59, nothing, struct({ hostname: text })),
  connectSupportsFeature: remote(60, struct({ feature: int }), struct({ supported: int })),
  authList: remote(66, nothing, struct({ types: array(int, AUTH_TYPE_LIMIT) })),
  authPolkit: remote(70, nothing, struct({ complete: int })),

  /** `flags` 1 active, 2 inactive, 0 all. */
  connectListAllDomains: remote(
    273,
    struct({ needResults: int, flags: uint }),
    struct({ domains: array(domainRef, DOMAIN_LIST_LIMIT), count: uint }),
  ),
  domainLookupByUuid: remote(24, struct({ uuid }), onDomain),
  domainLookupByName: remote(23, struct({ name: text }), onDomain),
  /** `flags` 1: validate against the schema. */
  domainDefineXmlFlags: remote(350, struct({ xml: text, flags: uint }), onDomain),
  /** From the memory that was saved, if any. `flags` 1: start paused; 8: boot, and forget the saved memory. */
  domainCreateWithFlags: remote(196, withFlags, onDomain),
  domainDestroyFlags: remote(234, withFlags, nothing),
  /** Asks the guest; it may not listen. `flags` 1: by the ACPI power button. */
  domainShutdownFlags: remote(258, withFlags, nothing),
  domainUndefineFlags: remote(231, withFlags, nothing),
  domainSuspend: remote(34, onDomain, nothing),
  domainResume: remote(28, onDomain, nothing),
  /** Wakes a guest that has put itself to sleep. */
  domainPmWakeup: remote(267, withFlags, nothing),
  /** Answers when the guest's memory is on disk and its process has ended, which may take minutes. */
  domainManagedSave: remote(182, withFlags, nothing),
  domainHasManagedSaveImage: remote(183, withFlags, struct({ result: int })),
  domainManagedSaveRemove: remote(184, withFlags, nothing),
  /** `flags` 1 with secrets, 2 the persistent definition. */
  domainGetXmlDesc: remote(14, withFlags, struct({ xml: text })),
  domainGetState: remote(212, withFlags, struct({ state: int, reason: int })),
  /** A migration, save, dump or backup. `type` 1 and 2: one is under way (VIR_DOMAIN_JOB_BOUNDED, _UNBOUNDED). */
  domainGetJobInfo: remote(
    163,
    onDomain,
    struct({
      type: int,
      timeElapsed: uhyper,
      timeRemaining: uhyper,
      dataTotal: uhyper,
      dataProcessed: uhyper,
      dataRemaining: uhyper,
      memTotal: uhyper,
      memProcessed: uhyper,
      memRemaining: uhyper,
      fileTotal: uhyper,
      fileProcessed: uhyper,
      fileRemaining: uhyper,
    }),
  ),

  domainAttachDeviceFlags: remote(160, withDevice, nothing),
  domainDetachDeviceFlags: remote(161, withDevice, nothing),
  /** `size` in bytes with flag 1, else in KiB. */
  domainBlockResize: remote(
    251,
    struct<{ domain: DomainRef; disk: string; size: bigint; flags: number }>({
      domain: domainRef,
      disk: text,
      size: uhyper,
      flags: uint,
    }),
    nothing,
  ),
  /** Bytes. `capacity` is what the guest sees. */
  domainGetBlockInfo: remote(
    194,
    struct<{ domain: DomainRef; path: string; flags: number }>({ domain: domainRef, path: text, flags: uint }),
    struct({ allocation: uhyper, capacity: uhyper, physical: uhyper }),
  ),
  /** `found` 1: a block job runs on the disk. */
  domainGetBlockJobInfo: remote(
    238,
    struct<{ domain: DomainRef; path: string; flags: number }>({ domain: domainRef, path: text, flags: uint }),
    struct({ found: int, type: int, bandwidth: uhyper, cur: uhyper, end: uhyper }),
  ),

  connectListAllSecrets: remote(
    287,
    struct({ needResults: int, flags: uint }),
    struct({ secrets: array(secretRef, SECRET_LIST_LIMIT), count: uint }),
  ),
  secretLookupByUuid: remote(141, struct({ uuid }), onSecret),
  secretLookupByUsage: remote(147, struct({ usageType: int, usageId: text }), onSecret),
  /** Without a uuid in the XML libvirt makes one. */
  secretDefineXml: remote(142, struct({ xml: text, flags: uint }), onSecret),
  secretSetValue: remote(
    144,
    struct<{ secret: SecretRef; value: Buffer; flags: number }>({
      secret: secretRef,
      value: opaque(SECRET_VALUE_LIMIT),
      flags: uint,
    }),
    nothing,
  ),
  secretUndefine: remote(146, onSecret, nothing),

  connectDomainEventCallbackRegisterAny: remote(
    316,
    struct<{ eventId: number; domain: DomainRef | null }>({ eventId: int, domain: optional(domainRef) }),
    struct({ callbackId: int }),
  ),
} as const;

export type ProcedureName = keyof typeof PROCEDURES;
export type ArgsOf<Name extends ProcedureName> =
  (typeof PROCEDURES)[Name] extends Procedure<infer Args, infer _Result> ? Args : never;
export type ResultOf<Name extends ProcedureName> =
  (typeof PROCEDURES)[Name] extends Procedure<infer _Args, infer Result> ? Result : never;
