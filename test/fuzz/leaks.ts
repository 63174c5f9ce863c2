import { readFileSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';

/** What an answer must not tell of how the service is made. Requests of the fuzz have nothing of it. */
const ROOT = join(import.meta.dirname, '..', '..');
const PATTERNS: readonly RegExp[] = [
  /\bat (async )?[\w$.<>[\]]+ \(/,
  /\.(ts|js|mjs|cjs)\b/,
  /node:|node_modules|file:\/\//,
  /\/(home|usr|var|tmp|opt|srv|app)\//,
  /\b(select|insert|update|delete)\b.{1,80}\b(from|into|set|values|where)\b/is,
  /duplicate key|violates|invalid input syntax|out of range for type|invalid byte sequence|unterminated|\bpg_|\bjsonb?\b column/i,
  /postgres|typeorm|amqp|rabbit|fastify|nestjs|express|class-validator|class-transformer|light-my-request|novella/i,
  /\b(Type|Range|Syntax|Reference|Assertion|URI|Eval|Aggregate)Error\b/,
  /Cannot (read|set|convert|destructure)|is not (a function|iterable|defined|a constructor)|Maximum call stack/,
  /Unexpected (token|end|non-whitespace)|in JSON at position|Converting circular/,
  /\b(FST|ERR|HPE|UND|ECONN|EACCES|ENOENT|EPIPE)_?[A-Z_]+\b/,
  /\[object |\bundefined\b/,
];

/** Patterns and the names of our own classes. */
export async function leakFinder(): Promise<(text: string) => string | null> {
  const names = await classNames();
  const all = [...PATTERNS, new RegExp(`\\b(${[...names].join('|')})\\b`), new RegExp(escaped(ROOT))];
  return (text) => {
    for (const pattern of all) {
      const leak = pattern.exec(text);
      if (leak !== null) return leak[0];
    }
    return null;
  };
}

/** Of two words at least: one word may be in any sentence. */
async function classNames(): Promise<Set<string>> {
  const files = ['apps/nova-api', 'libs'].map(async (folder) =>
    (await readdir(join(ROOT, folder), { recursive: true }))
      .filter((file) => /(^|\/)src\/.*\.ts$/.test(file))
      .map((file) => readFileSync(join(ROOT, folder, file), 'utf8')),
  );
  const sources = (await Promise.all(files)).flat();
  const names = sources.flatMap((source) =>
    [...source.matchAll(/\bclass ([A-Z][a-z]+[A-Z]\w+)/g)].map(([, name]) => name ?? ''),
  );
  return new Set(names);
}

const escaped = (text: string): string => text.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&');
