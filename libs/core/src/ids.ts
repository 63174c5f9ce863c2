/** Identifiers, one type per kind of thing, so that a volume's id cannot be passed where a server's is meant. */
export type ServerId = string & { readonly __id: 'server' };
export type VolumeId = string & { readonly __id: 'volume' };
/** Cinder's attachment of one volume to one server. */
export type AttachmentId = string & { readonly __id: 'attachment' };
export type BlockDeviceMappingId = string & { readonly __id: 'block-device-mapping' };
export type OperationId = string & { readonly __id: 'operation' };
export type ProjectId = string & { readonly __id: 'project' };
export type UserId = string & { readonly __id: 'user' };
/** `req-<uuid>`: names one HTTP request, and the instance action that it opened. */
export type RequestId = string & { readonly __id: 'request' };
/** The name a compute registers under; the last part of its topic `compute.<host>`. */
export type HostName = string & { readonly __id: 'host' };

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
const HOST = /^[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$/;
const REQUEST = /^req-[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

/** Lower-case, dashed form only: the form that Nova stores and compares. */
export const isUuid = (text: string): boolean => UUID.test(text);

/** The id, or null when `text` is not a lower-case dashed uuid. */
export const parseServerId = (text: string): ServerId | null => (isUuid(text) ? (text as ServerId) : null);
export const parseVolumeId = (text: string): VolumeId | null => (isUuid(text) ? (text as VolumeId) : null);
export const parseAttachmentId = (text: string): AttachmentId | null => (isUuid(text) ? (text as AttachmentId) : null);
export const parseOperationId = (text: string): OperationId | null => (isUuid(text) ? (text as OperationId) : null);

/** `<host>.lock` is how a host's name is held at the broker, so no host is called so. */
export const isHostName = (text: string): text is HostName => HOST.test(text) && !text.endsWith('.lock');
export const isRequestId = (text: string): text is RequestId => REQUEST.test(text);
