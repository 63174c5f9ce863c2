import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface TemporaryDirectory extends AsyncDisposable {
  readonly path: string;
  /** Removes it with all that is in it; may be called again. */
  remove(): Promise<void>;
}

/** A new directory of its own; 0700 unless other users (a hypervisor, a database) must come in. */
export async function temporaryDirectory(options: { mode?: number } = {}): Promise<TemporaryDirectory> {
  const path = await mkdtemp(join(tmpdir(), 'novella-'));
  await chmod(path, options.mode ?? 0o700);
  const remove = () => rm(path, { recursive: true, force: true, maxRetries: 3 });
  return { path, remove, [Symbol.asyncDispose]: remove };
}
