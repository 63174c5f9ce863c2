import { readFile } from 'node:fs/promises';
import { machine } from 'node:os';

/** Answers a file's text, or null when it cannot be read. */
export type FileReader = (path: string) => Promise<string | null>;

export const readHostFile: FileReader = (path) => readFile(path, 'utf8').catch(() => null);

/**
 * What Cinder's drivers want to know of a host that shall reach a volume: the flat dict of os-brick's
 * get_connector_properties (`os-brick:os_brick/initiator/connector.py`). Keys whose source is not there are left out, as
 * os-brick does. Differs: nothing is created on the host (no host NQN is made up) and multipath is always off.
 */
export async function connectorProperties(
  options: { readonly host: string; readonly ip: string },
  read: FileReader = readHostFile,
  platform: string = machine(),
): Promise<Readonly<Record<string, unknown>>> {
  const [iscsi, nqn, hostId, systemUuid, nativeMultipath] = await Promise.all([
    read('/etc/iscsi/initiatorname.iscsi'),
    read('/etc/nvme/hostnqn'),
    read('/etc/nvme/hostid'),
    read('/sys/class/dmi/id/product_uuid'),
    read('/sys/module/nvme_core/parameters/multipath'),
  ]);
  return {
    platform,
    os_type: 'linux',
    ip: options.ip,
    host: options.host,
    multipath: false,
    enforce_multipath: false,
    do_local_attach: false,
    nvme_native_multipath: nativeMultipath?.trim() === 'Y',
    ...present('initiator', initiatorName(iscsi)),
    ...present('nqn', nqn),
    ...present('nvme_hostid', hostId),
    ...present('system uuid', systemUuid),
  };
}

function present(key: string, text: string | null): Record<string, string> {
  const value = text?.trim() ?? '';
  return value === '' ? {} : { [key]: value };
}

/** The last line that sets it; lines that begin with `#` are comments. */
function initiatorName(text: string | null): string | null {
  const lines = (text ?? '').split('\n').filter((line) => line.startsWith('InitiatorName='));
  return lines.at(-1)?.slice('InitiatorName='.length) ?? null;
}
