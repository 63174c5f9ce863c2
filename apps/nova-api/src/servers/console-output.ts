import { MOST_CONSOLE_BYTES } from '@novella/contracts';
import { NovellaError } from '@novella/core';
import type { Instance } from '@novella/persistence';
import { ApiFault } from '../http/fault.js';
import type { NovaApiPorts } from '../ports.js';
import { noSuchServer, notReady } from './instance-state.js';

/**
 * os-getConsoleOutput: the last lines that the guest wrote, read on its host while the user waits. 404 when the host has
 * no such guest, 409 without a host, 500 when the host does not answer in time (as Nova has it).
 * Mirrors nova:nova/api/openstack/compute/console_output.py.
 */
export async function consoleOutput(
  io: Pick<NovaApiPorts, 'compute' | 'log'>,
  server: Pick<Instance, 'id' | 'host'>,
  length: number | string | null,
): Promise<string> {
  const { id, host } = server;
  if (host === null) throw notReady(id);
  try {
    const { output } = await io.compute(host).console_output({ server: id, lines: linesOf(length) });
    return output.replace(NOT_FOR_XML, '');
  } catch (error) {
    const code = error instanceof NovellaError ? error.code : null;
    if (code === 'domain-not-found') throw noSuchServer(id);
    if (code !== 'rpc-timeout' && code !== 'rpc-no-route') throw error;
    io.log.warn('a host does not answer', { host, serverId: id, error });
    throw new ApiFault(500, `The host of instance ${id} does not answer.`, { cause: error });
  }
}

/** Nova takes these out, a relic of answers in XML. */
const NOT_FOR_XML = /[\u0000-\u0008\u000B-\u001F]/g;

/** null, as any negative number, asks for all there is. */
function linesOf(length: number | string | null): number | null {
  const lines = Number(length ?? -1);
  return lines < 0 ? null : Math.min(lines, MOST_CONSOLE_BYTES);
}
