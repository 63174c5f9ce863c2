import { readFileSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';

/**
 * The words that nova-api's own source is written with: names of actions, fields, filters and states, also of those that
 * are added tomorrow. Sorted, without what is only the path of an import.
 */
export async function wordsOfTheSource(): Promise<readonly string[]> {
  const root = join(import.meta.dirname, '..', '..', 'apps', 'nova-api', 'src');
  const files = (await readdir(root, { recursive: true })).filter(
    (file) => file.endsWith('.ts') && !file.endsWith('spec.ts') && !file.startsWith('testing/'),
  );
  const words = files.flatMap((file) => wordsOf(readFileSync(join(root, file), 'utf8')));
  // Names that every object has are looked at before anything else is.
  return [...new Set(words)].filter((word) => !(word in {})).toSorted();
}

const QUOTED = /'([\w:.-]{2,60})'/g;
const KEY = /\b(\w{2,60})[?!]?:/g;
const IMPORT = /^import .* from .*$/gm;

function wordsOf(source: string): string[] {
  const code = source.replaceAll(IMPORT, '');
  return [...code.matchAll(QUOTED), ...code.matchAll(KEY)].map(([, word]) => word ?? '');
}
