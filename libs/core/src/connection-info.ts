import { z } from 'zod';
import { NovellaError } from './errors.js';
import { isUuid } from './ids.js';

/**
 * How a host reaches a volume: Cinder's `connection_info`, parsed once into a union by `driver_volume_type`.
 * It holds no secret: what Cinder sends along (CHAP, cephx) is not kept in it.
 * Mirrors cinder:volume drivers' initialize_connection and nova:virt/libvirt/volume/.
 */
const common = { accessMode: z.enum(['rw', 'ro']), encrypted: z.boolean() };

/** What Ceph calls pools, images, users and clusters, as far as we hand such a name to a program. */
const cephName = z.string().regex(/^[A-Za-z0-9_.][A-Za-z0-9_.:-]{0,254}$/);
/** A name, an IPv4 address, or an IPv6 address without brackets. */
const monitorHost = z.string().regex(/^[A-Za-z0-9:][A-Za-z0-9.:_-]{0,254}$/);

export const connectionInfoSchema = z.discriminatedUnion('protocol', [
  /**
   * A path that is already on the host: a file, or a block device such as /dev/loop0. The format is what Cinder said,
   * never probed. A raw volume is grown by the volume service alone; a qcow2 file by whoever has it open.
   */
  z.object({
    protocol: z.literal('local'),
    devicePath: z.string().startsWith('/'),
    format: z.enum(['raw', 'qcow2']).default('raw'),
    ...common,
  }),
  /** An image in a Ceph cluster, which QEMU opens by itself: there is no device on the host. */
  z.object({
    protocol: z.literal('rbd'),
    format: z.literal('raw'),
    pool: cephName,
    image: cephName,
    monitors: z.array(z.object({ host: monitorHost, port: z.number().int().min(1).max(65_535) })).min(1),
    /** Names the cluster's files on the host: `<cluster>.conf`. */
    cluster: cephName,
    /** null: the cluster lets everybody in. `secretUuid`: a secret that an operator may have given libvirt. */
    auth: z.object({ username: cephName, secretUuid: z.string().refine(isUuid).nullable() }).nullable(),
    /** What the guest discards is freed in the cluster. */
    discard: z.boolean(),
    ...common,
  }),
]);
export type ConnectionInfo = z.infer<typeof connectionInfoSchema>;
export type ConnectionInfoOf<Protocol extends ConnectionInfo['protocol']> = Extract<
  ConnectionInfo,
  { protocol: Protocol }
>;

const cinderCommon = { access_mode: z.enum(['rw', 'ro']).nullish(), encrypted: z.boolean().nullish() };
const commonOf = (data: { access_mode?: 'rw' | 'ro' | null | undefined; encrypted?: boolean | null | undefined }) => ({
  accessMode: data.access_mode ?? 'rw',
  encrypted: data.encrypted ?? false,
});

const local = z
  .looseObject({ device_path: z.string(), format: z.enum(['raw', 'qcow2']).nullish(), ...cinderCommon })
  .transform((data) => ({
    protocol: 'local' as const,
    devicePath: data.device_path,
    format: data.format ?? 'raw',
    ...commonOf(data),
  }));

/** cinder:volume/drivers/rbd.py initialize_connection. Ports are texts there, and IPv6 comes with and without brackets. */
const rbd = z
  .looseObject({
    name: z.string(),
    hosts: z.array(z.string()),
    ports: z.array(z.union([z.string().regex(/^\d{1,5}$/), z.number()])),
    cluster_name: z.string().nullish(),
    auth_enabled: z.boolean().nullish(),
    auth_username: z.string().nullish(),
    secret_uuid: z.string().nullish(),
    discard: z.boolean().nullish(),
    ...cinderCommon,
  })
  .transform((data, context) => {
    const [pool, image, ...rest] = data.name.split('/');
    const amiss = (path: string, message: string): void => context.addIssue({ code: 'custom', path: [path], message });
    if (image === undefined || rest.length > 0) amiss('name', 'a pool and an image with one slash between them');
    if (data.hosts.length !== data.ports.length) amiss('ports', 'one port for each of the hosts');
    if (data.auth_enabled === true && !data.auth_username) amiss('auth_username', 'who authenticates');
    const username = data.auth_enabled === true ? (data.auth_username ?? null) : null;
    return {
      protocol: 'rbd' as const,
      format: 'raw' as const,
      pool,
      image,
      monitors: data.hosts.map((host, index) => ({
        host: /^\[(.*)\]$/.exec(host)?.[1] ?? host,
        port: Number(data.ports[index]),
      })),
      cluster: data.cluster_name ?? 'ceph',
      auth: username === null ? null : { username, secretUuid: data.secret_uuid?.toLowerCase() ?? null },
      discard: data.discard ?? false,
      ...commonOf(data),
    };
  });

const FORMS: Readonly<Record<ConnectionInfo['protocol'], z.ZodType>> = { local, rbd };
const isKnown = (type: string): type is ConnectionInfo['protocol'] => Object.hasOwn(FORMS, type);

/**
 * Cinder's form: `data` and `driver_volume_type` side by side (attachment API) or the driver's fields beside the type.
 * Errors: connection-info-invalid; connector-unsupported for a type that we have no connector for.
 */
export function parseConnectionInfo(fromCinder: unknown): ConnectionInfo {
  const type = z.looseObject({ driver_volume_type: z.string() }).safeParse(fromCinder);
  if (!type.success) {
    throw new NovellaError('connection-info-invalid', 'the connection_info has no driver_volume_type');
  }
  const volumeType = type.data.driver_volume_type;
  if (!isKnown(volumeType)) {
    throw new NovellaError('connector-unsupported', `no connector for volumes of type ${volumeType}`, { volumeType });
  }
  const parsed = FORMS[volumeType].pipe(connectionInfoSchema).safeParse(dataOf(type.data));
  if (parsed.success) return parsed.data;
  const why = z.prettifyError(parsed.error);
  throw new NovellaError('connection-info-invalid', `connection_info of type ${volumeType}: ${why}`);
}

/** Attachment show answers the driver's fields beside `driver_volume_type`, without a `data` level. */
function dataOf({ driver_volume_type: _type, ...info }: Record<string, unknown>): unknown {
  return typeof info['data'] === 'object' && info['data'] !== null ? info['data'] : info;
}
