import { describe, expect, it } from '@jest/globals';
import { minutes, OPERATION_KINDS } from '@novella/core';
import { FLOWS } from '../../apps/conductor/src/operations/turns.js';
import { type Course, COURSES } from './courses.js';
import { effectOf, Meter, productEffects, TREATMENTS } from './meter.js';
import { goesAway, type Misfortune, misfortunes } from './misfortunes.js';
import { notReached, outdated } from './not-reached.js';
import { productTransitions } from './product-transitions.js';
import { INTERFERENCE_STORIES } from './stories-of-interference.js';
import { SERVER_STORIES } from './stories-of-servers.js';
import { VOLUME_STORIES } from './stories-of-volumes.js';
import type { Story } from './story.js';
import { type Fault, World } from './world.js';

const STORIES: Record<string, Story> = { ...SERVER_STORIES, ...VOLUME_STORIES };
/** What may happen at a call, with the name under which it is told. */
const BREAKS = [
  ['an error right before', 'before', 'error'],
  ['an error right after', 'after', 'error'],
  ['a crash right before', 'before', 'crash'],
  ['a crash right after', 'after', 'crash'],
  ['a repeat of', 'before', 'twice'],
  ['a repeat, with the first answer, of', 'after', 'twice'],
] as const;

const meter = new Meter();
/** What is gone through when nothing is broken; each was then broken. */
const unbroken = new Set<string>();

interface Played {
  readonly calls: number;
  readonly names: readonly (string | null)[];
  readonly end: Awaited<ReturnType<World['snapshot']>>;
}

async function played(world: World, fault: Fault | null): Promise<Played> {
  world.arm(fault);
  await world.settle();
  const { calls } = world;
  const names = [...world.names];
  if (fault === null) for (const name of names) if (name !== null) unbroken.add(name);
  return { calls, names, end: await world.snapshot() };
}

async function play(name: string, engines: number, fault: Fault | null): Promise<Played> {
  const { before, story } = STORIES[name]!;
  const world = await World.with(engines, meter);
  await before?.(world);
  await story(world);
  return played(world, fault);
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

    it.each(BREAKS.slice(0, engines === 1 ? 5 : 6))(
      'ends the same with %s any call that an engine makes',
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

const NO_MISFORTUNE = () => undefined;

/** What comes late comes when all is over, and is waited for. */
async function playCourse(
  { course, befalls, comesLate = false }: Misfortune,
  fault: Fault | null = null,
  metered = meter,
): Promise<Played> {
  const world = await World.with(1, metered);
  await course.before?.(world);
  await course.request(world);
  await befalls(world);
  const { calls, names } = await played(world, fault);
  if (comesLate) await world.work(minutes(10));
  return { calls, names, end: await world.snapshot() };
}

describe('a misfortune', () => {
  const ends = new Map<Course, ReturnType<typeof playCourse>>();
  const endOf = async (course: Course): Promise<Played['end']> => {
    const known = ends.get(course) ?? playCourse({ course, befalls: NO_MISFORTUNE });
    ends.set(course, known);
    return (await known).end;
  };

  it.each([...misfortunes()])('does not change the end, nor does a break during it: %s', async (name, misfortune) => {
    const end = await endOf(misfortune.course);
    const clean = await playCourse(misfortune);
    expect(clean.end).toEqual(end);
    for (const { what, fault } of breaksOf(clean, name.length, 8)) {
      const broken = await playCourse(misfortune, fault);
      expect({ what, call: fault.call, ...broken.end }).toEqual({ what, call: fault.call, ...end });
    }
  });
});

describe('an interference', () => {
  it.each(Object.entries(INTERFERENCE_STORIES))(
    'leaves nothing open and nothing wrong, whatever breaks during it: %s',
    async (name, { before, story, ends, breaksAll = false }) => {
      const interfere = async (fault: Fault | null): Promise<Played> => {
        const world = await World.with(1, meter);
        await before?.(world);
        await story(world);
        return played(world, fault);
      };
      const clean = await interfere(null);
      expect(clean.end).toMatchObject({ open: [], ...ends, wrongs: [] });
      for (const { what, fault } of breaksOf(clean, name.length, breaksAll ? 1 : 8)) {
        const { end } = await interfere(fault);
        expect({ what, call: fault.call, ...end }).toMatchObject({ open: [], wrongs: [] });
      }
    },
  );
});

/** Each transition is broken in each way somewhere; besides that one call of `every` in some way, or each in all. */
function* breaksOf({ names }: Played, shift: number, every: number): Generator<{ what: string; fault: Fault }> {
  for (const [index, name] of names.entries()) {
    const turn = shift + index;
    for (const [at, [what, when, kind]] of BREAKS.entries()) {
      const treatment = kind === 'twice' ? kind : (`${kind} ${when}` as const);
      const isNew = name !== null && meter.seen.get(name)?.has(treatment) !== true;
      if (isNew || every === 1 || (turn % every === 0 && at === (turn / every) % BREAKS.length)) {
        yield { what, fault: { call: index + 1, when, kind } };
      }
    }
  }
}

describe('the meter', () => {
  it('has seen nothing that the product was not found to do, and each transition, effect and deadline', async () => {
    const transitions = await productTransitions();
    const product = [...transitions, ...productEffects(transitions)];
    const seen = [...meter.seen.keys(), ...(await seenInRaces())];
    expect(seen.filter((name) => !product.includes(name))).toEqual([]);
    const unseen = product.filter((name) => !seen.includes(name));
    expect(unseen.filter((name) => !notReached(name))).toEqual([]);
    expect(seen.filter(notReached)).toEqual([]);
    expect(outdated(product)).toEqual([]);
  });

  it('has seen everything that an undisturbed engine does broken in each way', () => {
    const lacking = [...unbroken].flatMap((name) =>
      TREATMENTS.filter((treatment) => meter.seen.get(name)?.has(treatment) !== true).map((one) => `${one}: ${name}`),
    );
    expect(lacking).toEqual([]);
  });

  it('has seen each step of each kind entered, failed, repeated and cut off right before and after it', () => {
    const lacking = OPERATION_KINDS.flatMap((kind) => {
      const { own, onHost, reached } = FLOWS[kind].steps;
      const done = [...own, ...onHost].map((step) => effectOf(kind, step));
      const left = reached.map(
        (step) => [...unbroken].find((name) => name.startsWith(`${kind} ${step} (`)) ?? `${kind} ${step}`,
      );
      return [...done, ...left].filter((name) => meter.seen.get(name)?.size !== TREATMENTS.length);
    });
    expect(lacking).toEqual([]);
  });
});

/** Something else is accepted, or the host goes away, at every second call of a course: some only this leads to. */
async function seenInRaces(): Promise<Iterable<string>> {
  const races = new Meter();
  const requests: readonly ((world: World) => Promise<unknown>)[] = [
    (world) => world.acceptDelete(),
    (world) => world.acceptPower('hard reboot'),
    (world) => world.acceptPower('stop'),
    (world) => world.acceptDetach(),
    goesAway,
  ];
  for (const course of Object.values(COURSES)) {
    const misfortune = { course, befalls: NO_MISFORTUNE };
    const { calls } = await playCourse(misfortune, null, races);
    for (const request of requests) {
      for (let call = 1; call <= calls; call += 2) {
        const kind = (world: World) => request(world).then(() => undefined);
        const { end } = await playCourse(misfortune, { call, when: 'before', kind }, races);
        expect(end).toMatchObject({ open: [], wrongs: [] });
      }
    }
  }
  return races.seen.keys();
}
