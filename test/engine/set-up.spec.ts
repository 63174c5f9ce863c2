import { describe, expect, it } from '@jest/globals';
import { SERVER } from '@novella/testing';
import { attached, built, paused, stopped, suspended } from './set-up.js';
import { accepts } from './story.js';
import { World } from './world.js';

const build = (world: World) => world.acceptBuild();
const attach = accepts((world) => world.acceptAttach());
const power = (action: Parameters<World['acceptPower']>[0]) => accepts((world) => world.acceptPower(action));

/** The same by engines. */
const WORKED: [string, (world: World) => Promise<void>, ((world: World) => Promise<void>)[]][] = [
  ['built', built, [build]],
  ['attached', attached, [build, attach]],
  ['stopped', stopped, [build, attach, power('stop')]],
  ['paused', paused, [build, attach, power('pause')]],
  ['suspended', suspended, [build, attach, power('suspend')]],
];

/** All that the store says of the server, without times and new ids. */
async function rows(world: World): Promise<unknown> {
  const instance = await world.store.instance(SERVER);
  const mappings = (await world.store.blockDeviceMappings([SERVER])).get(SERVER);
  const withoutTimes = (_key: string, value: unknown) =>
    typeof value === 'string' && /^\d{4}-\d\d-\d\dT/.test(value) ? 'a time' : value;
  return JSON.parse(JSON.stringify({ instance, mappings }, withoutTimes)) as unknown;
}

describe('a server that was set up', () => {
  it.each(WORKED)('is as engines would have made it: %s', async (_name, setUp, requests) => {
    const made = await World.with(1);
    await setUp(made);
    const worked = await World.with(1);
    for (const request of requests) {
      await request(worked);
      await worked.settle();
    }
    expect(await made.snapshot()).toEqual(await worked.snapshot());
    expect(await rows(made)).toEqual(await rows(worked));
  });
});
