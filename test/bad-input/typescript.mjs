import { readFileSync } from 'node:fs';
import { registerHooks } from 'node:module';
import { fileURLToPath } from 'node:url';
import { transformSync } from '@swc/core';

/** `node --import <this file> main.ts` runs a program from its sources, so that a test can start it without a build. */
const root = new URL('../../', import.meta.url);

registerHooks({
  resolve(specifier, context, next) {
    const lib = /^@novella\/([a-z-]+)$/.exec(specifier)?.[1];
    if (lib !== undefined) return next(new URL(`libs/${lib}/src/index.ts`, root).href, context);
    const ours = context.parentURL?.startsWith(root.href) && !context.parentURL.includes('/node_modules/');
    return next(ours && /^\.{1,2}\//.test(specifier) ? specifier.replace(/\.js$/, '.ts') : specifier, context);
  },
  load(url, context, next) {
    if (!url.startsWith(root.href) || !url.endsWith('.ts')) return next(url, context);
    const filename = fileURLToPath(url);
    const { code } = transformSync(readFileSync(filename, 'utf8'), { filename });
    return { format: 'module', source: code, shortCircuit: true };
  },
});
