import { registerHooks } from 'node:module';

/** `node --import <this file>`: a program answers the message `packages` with the names of the packages it has loaded. */
const loaded = new Set();

registerHooks({
  load(url, context, next) {
    const name = /\/node_modules\/((?:@[^/]+\/)?[^/]+)\/(?!.*\/node_modules\/)/.exec(url)?.[1];
    if (name !== undefined) loaded.add(name);
    const lib = /\/libs\/([^/]+)\//.exec(url)?.[1];
    if (lib !== undefined) loaded.add(`@novella/${lib}`);
    return next(url, context);
  },
});

process.on('message', (message) => {
  if (message === 'packages') process.send?.(`packages ${[...loaded].sort().join(' ')}`);
});
// Listening for messages alone does not keep a program alive.
process.channel?.unref();
