export { LibvirtClient, type LibvirtClientOptions } from './client.js';
export { type DomainEvents, type EventName, LIFECYCLE } from './events.js';
export { LIBVIRT_ERROR, LibvirtError } from './libvirt-error.js';
export type { ArgsOf, ProcedureName, ResultOf } from './procedures.js';
export type { DomainRef } from './wire-types.js';
