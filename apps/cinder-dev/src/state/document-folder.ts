import { mkdir, open, readdir, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';

/**
 * Documents of one kind, all in memory, each also a file `<id>.json` that is replaced as a whole: written beside, synced,
 * renamed. After `put` resolves a crash cannot lose it; a crash in between leaves the old one.
 */
export class DocumentFolder<T extends { readonly id: string }> {
  private readonly documents = new Map<string, T>();

  private constructor(private readonly directory: string) {}

  /** Reads every document. Throws with the file's path when one does not fit the schema: it is not ours to mend. */
  static async open<T extends { readonly id: string }>(
    directory: string,
    schema: z.ZodType<T>,
  ): Promise<DocumentFolder<T>> {
    await mkdir(directory, { recursive: true });
    const folder = new DocumentFolder<T>(directory);
    for (const name of await readdir(directory)) {
      const path = join(directory, name);
      if (name.endsWith('.new')) await rm(path);
      if (!name.endsWith('.json')) continue;
      const parsed = z
        .string()
        .transform(parseJson)
        .pipe(schema)
        .safeParse(await readFile(path, 'utf8'));
      if (!parsed.success) throw new Error(`${path} is not a document of ours: ${z.prettifyError(parsed.error)}`);
      folder.documents.set(parsed.data.id, parsed.data);
    }
    return folder;
  }

  get(id: string): T | undefined {
    return this.documents.get(id);
  }

  all(): T[] {
    return [...this.documents.values()];
  }

  async put(document: T): Promise<T> {
    const path = this.pathOf(document.id);
    const file = await open(`${path}.new`, 'w', 0o600);
    try {
      await file.writeFile(JSON.stringify(document, null, 2));
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(`${path}.new`, path);
    await syncDirectory(this.directory);
    this.documents.set(document.id, document);
    return document;
  }

  async remove(id: string): Promise<void> {
    if (!this.documents.delete(id)) return;
    await rm(this.pathOf(id), { force: true });
    await syncDirectory(this.directory);
  }

  /** Ids are uuids that we made, never a caller's text: they are safe as names. */
  private pathOf(id: string): string {
    return join(this.directory, `${id}.json`);
  }
}

async function syncDirectory(directory: string): Promise<void> {
  const handle = await open(directory, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

function parseJson(text: string, context: z.RefinementCtx): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    context.addIssue({ code: 'custom', message: 'not JSON' });
    return z.NEVER;
  }
}
