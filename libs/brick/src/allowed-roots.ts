import { realpath } from 'node:fs/promises';
import { basename, dirname, join, sep } from 'node:path';
import { NovellaError } from '@novella/core';

/**
 * Where volumes may be: a folder (`/var/lib/novella/volumes`: anything below it) or a name's beginning with a `*` at its
 * end (`/dev/loop*`: entries of that folder itself). Compared after both sides were resolved, so a link may lead in but
 * never out.
 */
export class AllowedRoots {
  constructor(private readonly roots: readonly string[]) {
    const wrong = roots.filter((root) => !root.startsWith('/') || root.slice(0, -1).includes('*'));
    if (wrong.length > 0) throw new RangeError(`not an absolute folder or /folder/name*: ${wrong.join(', ')}`);
  }

  /** The path that the kernel would open. Errors: host-device-missing, path-outside-roots. */
  async resolve(path: string): Promise<string> {
    const real = await realpath(path).catch((cause: unknown) => {
      throw new NovellaError('host-device-missing', 'there is nothing at the path on this host', { path }, { cause });
    });
    for (const root of this.roots) if (await contains(root, real)) return real;
    throw new NovellaError('path-outside-roots', 'the path leads outside the folders that volumes may be in', { path });
  }
}

async function contains(root: string, real: string): Promise<boolean> {
  const pattern = root.endsWith('*');
  const folder = await realpath(pattern ? dirname(root) : root).catch(() => null);
  if (folder === null) return false;
  if (!pattern) return real.startsWith(folder.endsWith(sep) ? folder : folder + sep);
  return dirname(real) === folder && real.startsWith(join(folder, basename(root).slice(0, -1)));
}
