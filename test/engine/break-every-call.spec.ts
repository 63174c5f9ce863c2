import { describe, expect, it } from '@jest/globals';
import { SERVER_STORIES } from './stories-of-servers.js';
import { VOLUME_STORIES } from './stories-of-volumes.js';
import type { Story } from './story.js';
import { type Fault, World } from './world.js';

const STORIES: Record<string, Story> = { ...SERVER_STORIES, ...VOLUME_STORIES };

async function play(
  name: string,
  engines: number,
  fault: Fault | null,
): Promise<{ calls: number; end: Awaited<ReturnType<World['snapshot']>> }> {
  const { before, story } = STORIES[name]!;
  const world = await World.with(engines);
  await before?.(world);
  await story(world);
  world.arm(fault);
  await world.settle();
  return { calls: world.calls, end: await world.snapshot() };
}

describe.each([
  ['one conductor', 1],
  ['two conductors', 2],
] as const)('with %s', (_, engines) => {
  describe.each(Object.keys(STORIES))('%s', (name) => {
    let undisturbed: ReturnType<typeof play> | null = null;

    it('ends as it should', async () => {
      const { end } = await (undisturbed ??= play(name, engines, null));
      expect(end).toMatchObject({ open: [], ...STORIES[name]!.ends, wrongs: [] });
    });

    it.each([
      ['an error', 'before', 'error'],
      ['an error', 'after', 'error'],
      ['a crash', 'before', 'crash'],
      ['a crash', 'after', 'crash'],
    ] as const)(
      'ends the same with %s right %s any call that an engine makes',
      async (_what, when, kind) => {
        const clean = await (undisturbed ??= play(name, engines, null));
        for (let call = 1; call <= clean.calls; call++) {
          const { end } = await play(name, engines, { call, when, kind });
          expect({ call, ...end }).toEqual({ call, ...clean.end });
        }
      },
      60_000,
    );
  });
});
