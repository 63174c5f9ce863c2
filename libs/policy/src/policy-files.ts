import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { type FileRule, parsePolicyFile, PolicyError, type PolicyFault } from './policy-file.js';

/** Where an operator writes rules. */
export interface PolicyPaths {
  readonly file: PolicyPath;
  /** Their files are read by name, after the file; dot files and folders in them are left out. */
  readonly dirs: readonly PolicyPath[];
}

export interface PolicyPath {
  readonly path: string;
  /** It was named by the operator: that it is not there is a mistake. */
  readonly isRequired: boolean;
}

/** The files that there are now. */
export interface PolicyFiles {
  readonly paths: readonly string[];
  /** Another as soon as a file or a directory is another. */
  readonly signature: string;
  /** When one of them was last changed, by the file system's clock. */
  readonly changedAt: Date;
}

/** Looks in a few system calls and reads no file. Throws PolicyError when one is required and is not there. */
export function findPolicyFiles({ file, dirs }: PolicyPaths): PolicyFiles {
  const faults: PolicyFault[] = [];
  const paths: string[] = [];
  const seen: Seen[] = [];
  const see = (path: string, kind: Seen['kind']): boolean => {
    const found = look(path);
    if (found?.kind !== kind) return false;
    seen.push(found);
    if (kind === 'file') paths.push(path);
    return true;
  };

  if (!see(file.path, 'file') && file.isRequired) faults.push(absent(file, 'file'));
  for (const dir of dirs) {
    if (see(dir.path, 'directory')) for (const name of namesIn(dir.path)) see(join(dir.path, name), 'file');
    else if (dir.isRequired) faults.push(absent(dir, 'directory'));
  }
  if (faults.length > 0) throw new PolicyError(faults);
  const changedAt = new Date(Math.max(0, ...seen.map((each) => each.changedAtMs)));
  return { paths, signature: JSON.stringify(seen.map(({ signature }) => signature)), changedAt };
}

const absent = ({ path }: PolicyPath, what: string): PolicyFault => ({
  path,
  line: null,
  problem: `there is no such ${what}`,
});

/** All their rules, in order. Throws PolicyError with all that is wrong. */
export function readPolicyFiles(paths: readonly string[]): FileRule[] {
  const read = paths.map(readOne);
  const faults = read.flatMap((one) => one.faults);
  if (faults.length > 0) throw new PolicyError(faults);
  return read.flatMap(({ rules }) => rules);
}

function readOne(path: string): ReturnType<typeof parsePolicyFile> {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    return { rules: [], faults: [{ path, line: null, problem: `cannot be read: ${codeOf(error)}` }] };
  }
  return parsePolicyFile(text, path);
}

interface Seen {
  readonly kind: 'file' | 'directory' | 'other';
  readonly signature: string;
  readonly changedAtMs: number;
}

/** null when nothing is there. */
function look(path: string): Seen | null {
  try {
    const stat = statSync(path, { bigint: true });
    const { mtimeNs, ctimeNs, size, ino } = stat;
    const kind = stat.isFile() ? 'file' : stat.isDirectory() ? 'directory' : 'other';
    return { kind, signature: [path, mtimeNs, ctimeNs, size, ino].join(' '), changedAtMs: Number(ctimeNs) / 1e6 };
  } catch (error) {
    if (isAbsence(error)) return null;
    throw error;
  }
}

/** Those of files that a policy may be in. A directory that has gone since it was looked at has none. */
function namesIn(dir: string): string[] {
  try {
    return readdirSync(dir)
      .filter((name) => !name.startsWith('.'))
      .sort();
  } catch (error) {
    if (isAbsence(error)) return [];
    throw error;
  }
}

const isAbsence = (error: unknown): boolean => ['ENOENT', 'ENOTDIR'].includes(codeOf(error));
const codeOf = (error: unknown): string =>
  error instanceof Error && 'code' in error ? String(error.code) : String(error);
