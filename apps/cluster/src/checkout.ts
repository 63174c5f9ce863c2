import { existsSync } from 'node:fs';
import { dirname, extname, join } from 'node:path';

/** The checkout that this file is in, from its sources or from where it was compiled to. */
export const CHECKOUT = above(import.meta.dirname);

function above(folder: string): string {
  if (existsSync(join(folder, 'nest-cli.json'))) return folder;
  if (dirname(folder) === folder) throw new Error(`there is no nest-cli.json in a folder above ${import.meta.dirname}`);
  return above(dirname(folder));
}

export type App = 'nova-api' | 'conductor' | 'compute' | 'cinder-dev' | 'manage';

/** Little memory: V8 would else let garbage gather, for a speed that is not to be seen in any figure here. */
const NODE_FLAGS = ['--max-semi-space-size=4', '--optimize-for-size'];

/** What Node is given to run an app: compiled when we are, else its sources by the loader that runs ours. */
export function programOf(app: App): readonly string[] {
  const compiled = extname(import.meta.filename) === '.js';
  return compiled
    ? [...NODE_FLAGS, join(CHECKOUT, 'dist', 'apps', app, 'apps', app, 'src', 'main.js')]
    : [...process.execArgv, join(CHECKOUT, 'apps', app, 'src', 'main.ts')];
}
