import { open, readFile, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { type HostName, NovellaError } from '@novella/core';
import { syncDirectory } from './sync-directory.js';

/**
 * Binds a state directory to the name of its host at the first start, durably: under another name the conductors would
 * believe that the host with these guests is gone, and another one empty. Error host-renamed when it is another's.
 */
export async function rememberHostName(stateDir: string, host: HostName): Promise<void> {
  const path = join(stateDir, 'host');
  const known = await readFile(path, 'utf8').catch((error: unknown) => {
    if (typeof error === 'object' && error !== null && 'code' in error && error.code === 'ENOENT') return null;
    throw error;
  });
  if (known === null) return write(stateDir, path, host);
  if (known.trimEnd() === host) return;
  const message = `the state directory belongs to host ${known.trimEnd().slice(0, 64)}; start it under that name, or give ${host} a new one`;
  throw new NovellaError('host-renamed', message, { stateDir, given: host });
}

/** Under its name only when it is whole. */
async function write(stateDir: string, path: string, host: HostName): Promise<void> {
  const file = await open(`${path}.next`, 'w', 0o644);
  try {
    await file.writeFile(`${host}\n`);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(`${path}.next`, path);
  await syncDirectory(stateDir);
}
