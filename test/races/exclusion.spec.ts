import { describe, expect, it } from '@jest/globals';
import { OPERATION_KINDS, type OperationKind, seconds } from '@novella/core';
import type { Operation } from '@novella/persistence';
import { SERVER, VOLUME } from '@novella/testing';
import { DATA } from '../engine/deployment.js';
import { attached, built, pauseGuest, saveGuest, switchOff } from '../engine/set-up.js';
import { World } from '../engine/world.js';

/**
 * Who excludes whom: a first operation stands in the state of the row when the request of the column comes, for the same
 * server and, where it is about a volume, the same volume.
 *
 *   ! code     the request is refused and writes nothing
 *   accepted   both will be done, the first one first
 *   joins      it is one more request on the first operation
 *   ends it    the first operation ends at once, unfinished
 *   waits      accepted; nothing is sent to the host before the first has ended there
 *   runs       accepted, and sent to the host beside the first if that is still there
 *   fails: code  accepted, and at its turn there is nothing left that it could act on
 */
const TABLE = `
  first   | is         | attach             | detach              | extend                     | start              | stop               | reboot             | pause              | unpause            | suspend            | resume             | delete
  build   | queued     | ! server-busy      | ! server-busy       | accepted                   | ! wrong-state      | ! wrong-state      | ! wrong-state      | ! wrong-state      | ! wrong-state      | ! wrong-state      | ! wrong-state      | accepted
  build   | dispatched | ! server-busy      | ! server-busy       | waits                      | ! wrong-state      | ! wrong-state      | ! wrong-state      | ! wrong-state      | ! wrong-state      | ! wrong-state      | ! wrong-state      | waits
  build   | ended      | ! already-attached | runs                | runs                       | ! wrong-state      | runs               | runs               | runs               | ! wrong-state      | runs               | ! wrong-state      | runs
  attach  | queued     | ! already-attached | ! attaching         | accepted                   | accepted           | accepted           | accepted           | accepted           | accepted           | accepted           | ! wrong-state      | ends it
  attach  | dispatched | ! already-attached | ! attaching         | waits                      | waits              | waits              | waits              | waits              | waits              | waits              | ! wrong-state      | waits
  attach  | ended      | ! already-attached | runs                | runs                       | runs               | runs               | runs               | runs               | runs               | runs               | ! wrong-state      | runs
  detach  | queued     | ! already-attached | ! already-detaching | accepted                   | accepted           | accepted           | accepted           | accepted           | accepted           | accepted           | ! wrong-state      | ends it
  detach  | dispatched | ! already-attached | ! already-detaching | waits                      | waits              | waits              | waits              | waits              | waits              | waits              | ! wrong-state      | waits
  detach  | ended      | runs               | ! not-attached      | fails: volume-not-attached | runs               | runs               | runs               | runs               | runs               | runs               | ! wrong-state      | runs
  extend  | queued     | ! already-attached | ends it             | joins                      | accepted           | accepted           | accepted           | accepted           | accepted           | accepted           | accepted           | ends it
  extend  | dispatched | ! already-attached | waits               | joins                      | runs               | runs               | runs               | runs               | runs               | runs               | runs               | waits
  extend  | ended      | ! already-attached | runs                | runs                       | runs               | runs               | runs               | runs               | runs               | runs               | runs               | runs
  start   | queued     | ! server-busy      | ! server-busy       | accepted                   | ! wrong-state      | ! wrong-state      | ! wrong-state      | ! wrong-state      | ! wrong-state      | ! wrong-state      | ! wrong-state      | ends it
  start   | dispatched | ! server-busy      | ! server-busy       | waits                      | ! wrong-state      | ! wrong-state      | ! wrong-state      | ! wrong-state      | ! wrong-state      | ! wrong-state      | ! wrong-state      | waits
  start   | ended      | ! already-attached | runs                | runs                       | ! wrong-state      | runs               | runs               | runs               | ! wrong-state      | runs               | ! wrong-state      | runs
  stop    | queued     | ! server-busy      | ! server-busy       | accepted                   | ! wrong-state      | ! wrong-state      | ! wrong-state      | ! wrong-state      | ! wrong-state      | ! wrong-state      | ! wrong-state      | ends it
  stop    | dispatched | ! server-busy      | ! server-busy       | waits                      | ! wrong-state      | ! wrong-state      | ! wrong-state      | ! wrong-state      | ! wrong-state      | ! wrong-state      | ! wrong-state      | waits
  stop    | ended      | ! already-attached | runs                | runs                       | runs               | ! wrong-state      | runs               | ! wrong-state      | ! wrong-state      | ! wrong-state      | ! wrong-state      | runs
  reboot  | queued     | ! server-busy      | ! server-busy       | accepted                   | ! wrong-state      | ! wrong-state      | joins              | ! wrong-state      | ! wrong-state      | ! wrong-state      | ! wrong-state      | ends it
  reboot  | dispatched | ! server-busy      | ! server-busy       | waits                      | ! wrong-state      | ! wrong-state      | joins              | ! wrong-state      | ! wrong-state      | ! wrong-state      | ! wrong-state      | waits
  reboot  | ended      | ! already-attached | runs                | runs                       | ! wrong-state      | runs               | runs               | runs               | ! wrong-state      | runs               | ! wrong-state      | runs
  pause   | queued     | ! server-busy      | ! server-busy       | accepted                   | ! wrong-state      | ! wrong-state      | ends it            | ! wrong-state      | ! wrong-state      | ! wrong-state      | ! wrong-state      | ends it
  pause   | dispatched | ! server-busy      | ! server-busy       | waits                      | ! wrong-state      | ! wrong-state      | waits              | ! wrong-state      | ! wrong-state      | ! wrong-state      | ! wrong-state      | waits
  pause   | ended      | ! already-attached | runs                | runs                       | ! wrong-state      | ! wrong-state      | runs               | ! wrong-state      | runs               | ! wrong-state      | ! wrong-state      | runs
  unpause | queued     | ! server-busy      | ! server-busy       | accepted                   | ! wrong-state      | ! wrong-state      | ends it            | ! wrong-state      | ! wrong-state      | ! wrong-state      | ! wrong-state      | ends it
  unpause | dispatched | ! server-busy      | ! server-busy       | waits                      | ! wrong-state      | ! wrong-state      | waits              | ! wrong-state      | ! wrong-state      | ! wrong-state      | ! wrong-state      | waits
  unpause | ended      | ! already-attached | runs                | runs                       | ! wrong-state      | runs               | runs               | runs               | ! wrong-state      | runs               | ! wrong-state      | runs
  suspend | queued     | ! server-busy      | ! server-busy       | accepted                   | ! wrong-state      | ! wrong-state      | ends it            | ! wrong-state      | ! wrong-state      | ! wrong-state      | ! wrong-state      | ends it
  suspend | dispatched | ! server-busy      | ! server-busy       | waits                      | ! wrong-state      | ! wrong-state      | waits              | ! wrong-state      | ! wrong-state      | ! wrong-state      | ! wrong-state      | waits
  suspend | ended      | ! server-busy      | ! server-busy       | runs                       | ! wrong-state      | ! wrong-state      | runs               | ! wrong-state      | ! wrong-state      | ! wrong-state      | runs               | runs
  resume  | queued     | ! server-busy      | ! server-busy       | accepted                   | ! wrong-state      | ! wrong-state      | ends it            | ! wrong-state      | ! wrong-state      | ! wrong-state      | ! wrong-state      | ends it
  resume  | dispatched | ! server-busy      | ! server-busy       | waits                      | ! wrong-state      | ! wrong-state      | waits              | ! wrong-state      | ! wrong-state      | ! wrong-state      | ! wrong-state      | waits
  resume  | ended      | ! already-attached | runs                | runs                       | ! wrong-state      | runs               | runs               | runs               | ! wrong-state      | runs               | ! wrong-state      | runs
  delete  | queued     | ! server-busy      | ! server-busy       | accepted                   | ! wrong-state      | ! wrong-state      | ! wrong-state      | ! wrong-state      | ! wrong-state      | ! wrong-state      | ! wrong-state      | ! already-deleting
  delete  | dispatched | ! server-busy      | ! server-busy       | fails: server-deleted      | ! wrong-state      | ! wrong-state      | ! wrong-state      | ! wrong-state      | ! wrong-state      | ! wrong-state      | ! wrong-state      | ! already-deleting
  delete  | ended      | ! server-not-found | ! server-not-found  | fails: server-deleted      | ! server-not-found | ! server-not-found | ! server-not-found | ! server-not-found | ! server-not-found | ! server-not-found | ! server-not-found | ! server-not-found
`;

type Kind = Exclude<OperationKind, 'power-update'>;
const isState = (text: string | undefined): text is State => STATES.some((state) => state === text);
const STATES = ['queued', 'dispatched', 'ended'] as const;
type State = (typeof STATES)[number];

const REQUESTS: Record<Kind, (world: World) => Promise<string>> = {
  build: (world) => world.acceptBuild(true, [VOLUME, DATA]).then(() => 'accepted'),
  attach: (world) => world.acceptAttach(),
  detach: (world) => world.acceptDetach(),
  extend: (world) => world.acceptExtend(undefined, DATA).then(() => 'accepted'),
  start: (world) => world.acceptPower('start'),
  stop: (world) => world.acceptPower('stop'),
  reboot: (world) => world.acceptPower('hard reboot'),
  pause: (world) => world.acceptPower('pause'),
  unpause: (world) => world.acceptPower('unpause'),
  suspend: (world) => world.acceptPower('suspend'),
  resume: (world) => world.acceptPower('resume'),
  delete: (world) => world.acceptDelete(),
};
const isKind = (text: string): text is Kind => Object.hasOwn(REQUESTS, text);

interface Case {
  readonly first: Kind;
  readonly state: State;
  readonly second: Kind;
  readonly answer: string;
}

function cases(): Case[] {
  const [header = [], ...rows] = TABLE.trim()
    .split('\n')
    .map((line) => line.split('|').map((cell) => cell.trim()));
  return rows.flatMap(([first = '', state, ...answers]) =>
    answers.map((answer, column) => {
      const second = header[column + 2] ?? '';
      if (!isKind(first) || !isKind(second) || !isState(state)) throw new Error(`no such case: ${first}, ${second}`);
      return { first, state, second, answer };
    }),
  );
}

/** What each can be asked of only, and beside which others that can be asked there too. */
const PREPARED: readonly (readonly [Kind, (world: World) => Promise<void>, readonly Kind[]])[] = [
  ['start', switchOff, ['attach', 'detach', 'extend']],
  ['unpause', pauseGuest, ['attach', 'detach', 'extend']],
  ['resume', saveGuest, ['extend']],
];

/** A world in which `first` stands in `state`, and what `second` asks for would else be possible. */
async function standing(first: Kind, state: State, second: Kind): Promise<{ world: World; operation: Operation }> {
  const world = await World.with(1);
  if (first === 'attach') await built(world);
  else if (first !== 'build') await attached(world);
  for (const [kind, prepare, besides] of PREPARED) {
    if (first === kind || (second === kind && besides.includes(first))) await prepare(world);
  }
  expect(await REQUESTS[first](world)).toBe('accepted');
  const [operation] = await world.store.operations({ serverId: SERVER, open: true, limit: 2 });
  if (operation === undefined) throw new Error(`no ${first} was opened`);
  if (state === 'ended') await world.settle();
  world.host.hangs = true;
  if (state === 'dispatched') await world.work(seconds(5));
  const stands = await world.store.operation(operation.id);
  expect(stands?.state).toBe(state === 'ended' ? 'succeeded' : state);
  return { world, operation };
}

/** What becomes of `second`, in the words of the table. */
async function answerTo({ first, state, second }: Omit<Case, 'answer'>): Promise<string> {
  const { world, operation } = await standing(first, state, second);
  const answer = await REQUESTS[second](world);
  if (answer !== 'accepted') return `! ${answer}`;
  const after = await world.store.operation(operation.id);
  if ((after?.requestedSeq ?? 1) > 1) return 'joins';
  if (state === 'queued') return after?.state === 'failed' ? 'ends it' : 'accepted';
  await world.work(seconds(10));
  const asked = (await world.store.operations({ serverId: SERVER, limit: 10 })).find(
    ({ kind, id }) => kind === second && id !== operation.id,
  );
  if (asked?.state === 'waiting' && asked.waitingFor === 'server-task') return 'waits';
  if (asked?.state === 'failed') return `fails: ${asked.error?.code ?? ''}`;
  return asked?.state === 'dispatched' ? 'runs' : `is ${asked?.state ?? 'not there'}`;
}

describe('a request while another operation of the server stands', () => {
  it('is in the table for each kind in each state (rules 3.6c, 3.6d)', () => {
    // A power-update ends at its first turn: no host is told of it.
    const kinds = OPERATION_KINDS.filter((kind) => kind !== 'power-update');
    // Nobody asks for a build of a server that there is.
    const asked = kinds.filter((kind) => kind !== 'build');
    const all = kinds.flatMap((first) =>
      STATES.flatMap((state) => asked.map((second) => `${first} ${state} ${second}`)),
    );
    expect(cases().map(({ first, state, second }) => `${first} ${state} ${second}`)).toEqual(all);
  });

  it.each(cases())('$first $state, $second: $answer', async ({ answer, ...which }) => {
    expect(await answerTo(which)).toBe(answer);
  });
});

describe('what the system has opened (rule 3.6f)', () => {
  it.each(['queued', 'dispatched'] as const)('does not keep a user from anything while it is %s', async (state) => {
    for (const second of ['detach', 'stop', 'reboot', 'delete'] as const) {
      const world = await World.with(1);
      await attached(world);
      const requester = world.requester();
      await world.store.openSystemExtend({ serverId: SERVER, volumeId: DATA, requester });
      world.host.hangs = true;
      if (state === 'dispatched') await world.work(seconds(5));
      expect(await REQUESTS[second](world)).toBe('accepted');
      world.host.hangs = false;
      await world.settle();
      const asked = (await world.store.operations({ serverId: SERVER, limit: 10 })).find(({ kind }) => kind === second);
      expect(asked).toMatchObject({ kind: second, state: 'succeeded' });
    }
  });
});
