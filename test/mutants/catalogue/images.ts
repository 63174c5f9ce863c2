import type { Mutant } from '../run-mutants.js';

const COMPUTE = 'apps/compute/src';
const CONDUCTOR = 'apps/conductor/src';
const CACHE = `${COMPUTE}/images/image-cache.ts`;
const caughtBy = (spec: string, tests: string): Mutant['caughtBy'] => ({ spec, tests });
const cacheSpec = (tests: string) => caughtBy(`${COMPUTE}/images/image-cache.spec.ts`, tests);

/** The way of an image: who may have it, who may fetch it, and what a host takes for it. */
export const IMAGE_MUTANTS: readonly Mutant[] = [
  {
    name: 'images: the kernel and ramdisk are not asked for in the name of the user',
    file: 'apps/nova-api/src/servers/read-images.ts',
    from: 'return (await read(id)) ?? imageNotFound(id);',
    to: 'return await read(id);',
    caughtBy: caughtBy('apps/nova-api/src/servers/create-server-images.spec.ts', 'does not see its kernel'),
  },
  {
    name: 'images: a link is followed whoever has signed it',
    file: `${CONDUCTOR}/images/image-links.ts`,
    from: "if (signature.length !== right.length || !timingSafeEqual(signature, right)) return 'forged';",
    to: '',
    caughtBy: caughtBy(`${CONDUCTOR}/images/image-links.spec.ts`, 'forged with another'),
  },
  {
    name: 'images: a link is for any image',
    file: `${CONDUCTOR}/images/image-links.ts`,
    from: '`GET\\n${image}\\n${host}',
    to: '`GET\\n${host}',
    caughtBy: caughtBy(`${CONDUCTOR}/images/image-links.spec.ts`, 'forged with another image'),
  },
  {
    name: 'images: a link has no end',
    file: `${CONDUCTOR}/images/image-links.ts`,
    from: "return expires * 1000 < this.#now() ? 'expired' : to;",
    to: 'return to;',
    caughtBy: caughtBy(`${CONDUCTOR}/images/image-links.spec.ts`, 'to its end and not longer'),
  },
  {
    name: 'images: the service serves what was deactivated',
    file: `${CONDUCTOR}/images/image-server.ts`,
    from: 'const image = await glance.image(link.image);',
    to: 'const image = await Promise.resolve(link);',
    caughtBy: caughtBy(`${CONDUCTOR}/images/image-server.spec.ts`, 'has deactivated it'),
  },
  {
    name: 'images: data that breaks off ends as if it were whole',
    file: `${CONDUCTOR}/images/image-server.ts`,
    from: 'await pipeline(data.body, response);',
    to: 'await pipeline(data.body, response, { end: false }).catch(() => undefined);\n    response.end();',
    caughtBy: caughtBy(`${CONDUCTOR}/images/image-server.spec.ts`, 'takes it for whole'),
  },
  {
    name: 'images: the hash is not compared',
    file: CACHE,
    from: "if (hash !== null && hash.digest('hex') !== source.hash?.value)",
    to: "if (hash !== null && hash.digest('hex') === '')",
    caughtBy: cacheSpec('other data of the same size'),
  },
  {
    name: 'images: an end that comes too early is the end',
    file: CACHE,
    from: 'if (position < source.size) throw',
    to: 'if (position < 0) throw',
    caughtBy: cacheSpec('by its size alone'),
  },
  {
    name: 'images: more than the image has is written',
    file: CACHE,
    from: 'if (position + chunk.length > source.size) throw',
    to: 'if (position < 0) throw',
    caughtBy: cacheSpec('before it has written more'),
  },
  {
    name: 'images: what is half done stays',
    file: CACHE,
    from: 'await files.discard(name).catch(',
    to: 'await Promise.resolve().catch(',
    caughtBy: cacheSpec('leaves nothing behind'),
  },
  {
    name: 'images: each who waits fetches anew',
    file: CACHE,
    from: 'if (underWay !== undefined) return underWay;',
    to: '',
    caughtBy: cacheSpec('fetched once for all'),
  },
  {
    name: 'images: one that is held goes',
    file: CACHE,
    from: 'if (this.#holders.has(file.name)) continue;',
    to: '',
    caughtBy: cacheSpec('not made by those that are held'),
  },
  {
    name: 'images: one that goes at this moment is given out',
    file: CACHE,
    from: 'await this.#removing.get(name);',
    to: '',
    caughtBy: cacheSpec('asked for while it goes'),
  },
  {
    name: 'images: a process takes over what an earlier one has left half done',
    file: `${COMPUTE}/images/cache-files.ts`,
    from: 'await Promise.all(partials.map((name) => rm(join(folder, name), { force: true })));',
    to: 'await Promise.all(partials.map((name) => join(folder, name)));',
    caughtBy: cacheSpec('the next start removes that'),
  },
  {
    name: 'images: a file of another length is the image',
    file: `${COMPUTE}/images/cache-files.ts`,
    from: 'if (found?.isFile() !== true || found.size !== size) return null;',
    to: 'if (found?.isFile() !== true) return null;',
    caughtBy: cacheSpec('not as long as it was'),
  },
  {
    name: 'images: builds that wait for one take the places of what else is to be done',
    file: `${COMPUTE}/command-handlers.ts`,
    from: "buildInstance, 'builds')",
    to: 'buildInstance)',
    caughtBy: caughtBy(`${COMPUTE}/flows/build-from-images.spec.ts`, 'an extend of another server goes on'),
  },
  {
    name: 'images: a guest starts from the kernel in the cache',
    file: `${COMPUTE}/flows/build-instance.ts`,
    from: 'command.images === null ? boot.kernel : await ownKernel(io, server, boot.kernel, step);',
    to: 'boot.kernel;',
    caughtBy: caughtBy(`${COMPUTE}/flows/build-from-images.spec.ts`, 'a ramdisk of its own'),
  },
  {
    name: 'images: what the guest has already is fetched again',
    file: `${COMPUTE}/boot-source.ts`,
    from: 'if (own[name] !== null || !isFetchable(source)) return own[name];',
    to: 'if (!isFetchable(source)) return own[name];',
    caughtBy: caughtBy(`${COMPUTE}/flows/build-from-images.spec.ts`, 'neither cache nor conductor has the image'),
  },
  {
    name: 'images: Glance is believed about another image',
    file: 'libs/glance/src/image-answer.ts',
    from: 'if (wire.id !== id) {',
    to: "if (wire.id === '') {",
    caughtBy: caughtBy('libs/glance/src/client.spec.ts', 'is about another image'),
  },
  {
    name: 'images: a 404 of anybody means that there is no image',
    file: 'libs/glance/src/transport.ts',
    from: "if (status === 404 && text.replaceAll(call.path, '').includes(call.subject))",
    to: 'if (status === 404)',
    caughtBy: caughtBy('libs/glance/src/client.spec.ts', 'only repeats the path'),
  },
];
