export { LibvirtClient, type LibvirtClientOptions } from './client.js';
export { type DomainEvents, type EventName, LIFECYCLE } from './events.js';
export { LIBVIRT_ERROR, LibvirtError } from './libvirt-error.js';
export type { ArgsOf, ProcedureName, ResultOf } from './procedures.js';
export { type DomainRef, SECRET_USAGE, type SecretRef } from './wire-types.js';
