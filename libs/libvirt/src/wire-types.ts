import { type Codec, fixedOpaque, int, string, struct } from './xdr.js';

/** REMOTE_STRING_MAX of libvirt:src/remote/remote_protocol.x */
const STRING_LIMIT = 4 * 1024 * 1024;

export const text = string(STRING_LIMIT);

const uuidBytes = fixedOpaque(16);

/** Sixteen bytes on the wire, a lower-case dashed text here. */
export const uuid: Codec<string> = {
  encode: (writer, value) => uuidBytes.encode(writer, Buffer.from(value.replaceAll('-', ''), 'hex')),
  decode: (reader) => {
    const hex = uuidBytes.decode(reader).toString('hex');
    return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-');
  },
};

/** `usageType`: SECRET_USAGE. `usageId` is unique among the secrets of that type. */
export interface SecretRef {
  readonly uuid: string;
  readonly usageType: number;
  readonly usageId: string;
}

export const secretRef: Codec<SecretRef> = struct<SecretRef>({ uuid, usageType: int, usageId: text });

/** virSecretUsageType: what a secret is for. */
export const SECRET_USAGE = { volume: 1, ceph: 2 } as const;

/** How libvirt names a domain in every call. Its QEMU driver looks only at the uuid; `id` is -1 when it is off. */
export interface DomainRef {
  readonly name: string;
  readonly uuid: string;
  readonly id: number;
}

export const domainRef: Codec<DomainRef> = struct<DomainRef>({ name: text, uuid, id: int });
