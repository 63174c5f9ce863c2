// A Jest transformer: SWC as everywhere, after the one mutant of its project was put into the source in memory. Nothing
// in the checkout changes. The cache key is of the source as it is compiled, so a mutant never meets a kept result of
// the real file, while all projects share what they did not change.
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { version } from '@swc/core';
import swc from '@swc/jest';

/** `mutant`: { file: absolute path, from, to }, or null for the product as it is. */
export function createTransformer({ mutant }) {
  const inner = swc.createTransformer();
  const settings = readFileSync('.swcrc', 'utf8');
  const mutated = (source, file) => (mutant?.file === file ? replaceOnce(source, mutant) : source);
  return {
    process: (source, file, options) => inner.process(mutated(source, file), file, options),
    processAsync: (source, file, options) => inner.processAsync(mutated(source, file), file, options),
    getCacheKey: (source, file, { supportsStaticESM }) =>
      createHash('sha256')
        .update(JSON.stringify([version, settings, file, supportsStaticESM, mutated(source, file)]))
        .digest('hex'),
  };
}

function replaceOnce(source, { from, to }) {
  const parts = source.split(from);
  if (parts.length !== 2) throw new Error(`the text of the mutant is there ${parts.length - 1} times: ${from}`);
  return parts.join(to);
}

export default { createTransformer };
