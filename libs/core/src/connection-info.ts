import { z } from 'zod';
import { NovellaError } from './errors.js';

/**
 * How a host reaches a volume: Cinder's `connection_info`, parsed once into a union by `driver_volume_type`.
 * It holds no secret: what Cinder sends along (CHAP, cephx) is not kept in it.
 * Mirrors cinder:volume drivers' initialize_connection and nova:virt/libvirt/volume/.
 */
const common = { accessMode: z.enum(['rw', 'ro']), encrypted: z.boolean() };

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
]);
export type ConnectionInfo = z.infer<typeof connectionInfoSchema>;

const cinderLocal = z.object({
  driver_volume_type: z.literal('local'),
  data: z.looseObject({
    device_path: z.string().startsWith('/'),
    access_mode: z.enum(['rw', 'ro']).nullish(),
    encrypted: z.boolean().nullish(),
    format: z.enum(['raw', 'qcow2']).nullish(),
  }),
});

/** Cinder's form: `data` and `driver_volume_type` side by side (attachment API) or the driver's fields beside the type. */
export function parseConnectionInfo(fromCinder: unknown): ConnectionInfo {
  const type = z.looseObject({ driver_volume_type: z.string() }).safeParse(fromCinder);
  if (!type.success) {
    throw new NovellaError('connection-info-invalid', 'the connection_info has no driver_volume_type');
  }
  const volumeType = type.data.driver_volume_type;
  if (volumeType !== 'local') {
    throw new NovellaError('connector-unsupported', `no connector for volumes of type ${volumeType}`, { volumeType });
  }
  const local = cinderLocal.safeParse(nestData(type.data));
  if (!local.success) {
    throw new NovellaError('connection-info-invalid', `connection_info of type local: ${z.prettifyError(local.error)}`);
  }
  return {
    protocol: 'local',
    devicePath: local.data.data.device_path,
    format: local.data.data.format ?? 'raw',
    accessMode: local.data.data.access_mode ?? 'rw',
    encrypted: local.data.data.encrypted ?? false,
  };
}

/** Attachment show answers the driver's fields beside `driver_volume_type`, without a `data` level. */
function nestData(info: Record<string, unknown>): Record<string, unknown> {
  if (typeof info['data'] === 'object' && info['data'] !== null) return info;
  const { driver_volume_type, ...data } = info;
  return { driver_volume_type, data };
}
