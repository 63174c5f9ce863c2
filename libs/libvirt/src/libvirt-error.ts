import { domainRef, text, uuid } from './wire-types.js';
import { type Decoded, int, optional, struct } from './xdr.js';

/** libvirt's own error: the call was understood and refused. The link is well. `code` is a virErrorNumber. */
export class LibvirtError extends Error {
  override readonly name = 'LibvirtError';

  constructor(
    readonly code: number,
    /** Which part of libvirt says it (virErrorDomain). */
    readonly domain: number,
    message: string,
    readonly procedure: string,
  ) {
    super(message);
  }
}

/** libvirt:include/libvirt/virterror.h; the ones that somebody decides by. */
export const LIBVIRT_ERROR = {
  internal: 1,
  noSupport: 3,
  invalidArg: 8,
  operationFailed: 9,
  systemError: 38,
  noDomain: 42,
  operationInvalid: 55,
  noSecret: 66,
  operationTimeout: 68,
  blockCopyActive: 83,
  resourceBusy: 87,
  deviceMissing: 99,
} as const;

const optionalText = optional(text);

export const errorBody = struct({
  code: int,
  domain: int,
  message: optionalText,
  level: int,
  domainRef: optional(domainRef),
  text1: optionalText,
  text2: optionalText,
  text3: optionalText,
  int1: int,
  int2: int,
  network: optional(struct({ name: text, uuid })),
});
export type ErrorBody = Decoded<typeof errorBody>;
