import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

export const ROOT = join(import.meta.dirname, '..', '..', '..');
const PAGE = 'docs/openstack.md';
/** Three backticks, a language, a name. */
const BLOCK = /^```\w+ (\S+)\n(.*?)^```$/gms;
/** What an operator has to put something in the place of. */
const PLACEHOLDER = /\bcontroller\b|\b(?:NOVA|CINDER|DATABASE)_PASSWORD\b|\w+_BROKER_PASSWORD\b/;

/** The page's text, and what an operator here writes in its place. */
export type Written = readonly (readonly [page: string, here: string])[];

/** docs/openstack.md as somebody follows it: word for word, but for the names that stand for something of theirs. */
export class Page {
  private constructor(private readonly blocks: ReadonlyMap<string, string>) {}

  static async read(): Promise<Page> {
    const text = await readFile(join(ROOT, PAGE), 'utf8');
    return new Page(new Map([...text.matchAll(BLOCK)].map(([, name = '', body = '']) => [name, body])));
  }

  /** Throws when the page has no such block or text, or something is left that nobody could use as it is. */
  block(name: string, written: Written): string {
    let text = this.blocks.get(name);
    if (text === undefined) throw new Error(`${PAGE} has no block ${name}`);
    for (const [page, here] of written) {
      if (!text.includes(page)) throw new Error(`${PAGE}: the block ${name} has no ${page}`);
      text = text.replaceAll(page, here);
    }
    const left = PLACEHOLDER.exec(text);
    if (left !== null) throw new Error(`${PAGE}: nothing stands for ${left[0]} in the block ${name}`);
    return text;
  }

  /** A block of `KEY=value` lines, as systemd reads an EnvironmentFile. */
  settings(name: string, written: Written): Record<string, string> {
    const lines = linesOf(this.block(name, written)).filter((line) => !line.startsWith('#'));
    return Object.fromEntries(
      lines.map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]),
    );
  }

  /** A block of `openstack` commands: the words of each. */
  commands(name: string, written: Written): string[][] {
    return linesOf(this.block(name, written)).map((line) => {
      const [program, ...words] = line.split(/\s+/);
      if (program !== 'openstack') throw new Error(`${PAGE}: the block ${name} has ${line}`);
      return words;
    });
  }
}

const linesOf = (text: string): string[] => text.split('\n').filter((line) => line.trim() !== '');
