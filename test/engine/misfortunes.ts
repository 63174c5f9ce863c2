import { type ErrorCode, ERRORS, millis, minutes, seconds } from '@novella/core';
import type { Outcome } from '@novella/contracts';
import { HOST } from '@novella/testing';
import { type Course, COURSES, SEALED_COURSES } from './courses.js';
import type { Luck } from './simulated-host.js';
import type { World } from './world.js';

/** Something that goes wrong during a course, and after which the end is the same. */
export interface Misfortune {
  readonly course: Course;
  readonly befalls: (world: World) => void | Promise<void>;
  /** Some of it comes only after the end. */
  readonly comesLate?: boolean;
}

export const failed = (code: ErrorCode): Outcome => ({
  status: 'failed',
  error: { code, grade: ERRORS[code], message: code, facts: {} },
});
export const answers =
  (outcome: Outcome): Luck =>
  (_act, answer) =>
    answer(outcome);

const LATE = minutes(8);

/** What may become of one command, or of it and those that follow it. */
const LUCK: Readonly<Record<string, readonly Luck[]>> = {
  'is lost': [() => undefined],
  'is done, and its answer is lost': [(act) => void act()],
  'comes twice': [(act, answer) => [act(), act()].forEach((outcome) => answer(outcome))],
  'comes again after a while, and after its end': [
    (act, answer, clock) => {
      answer(act(), seconds(20));
      for (const late of [seconds(10), LATE]) void clock.sleep(late).then(() => answer(act()));
    },
  ],
  'is answered twice': [
    (act, answer) => {
      const outcome = act();
      answer(outcome);
      answer(outcome);
    },
  ],
  'is answered again after its end': [
    (act, answer) => {
      const outcome = act();
      for (const late of [millis(0), seconds(2), LATE]) answer(outcome, late);
    },
  ],
  'is answered after its deadline': [(act, answer) => answer(act(), minutes(12))],
  'is stale': [answers({ status: 'stale' })],
  'finds a path down': [answers(failed('paths-down'))],
  'finds a migration': [answers(failed('guest-busy'))],
  'meets a hypervisor that is away': [answers(failed('hypervisor-unreachable'))],
};

/** Answers to commands of other kinds. An extend believes the first: it is the one kind that has nothing to undo. */
const UNFITTING: Readonly<Record<string, Outcome>> = {
  'a build': { status: 'detached' },
  'a build that is undone': { status: 'detached' },
  'an attach': { status: 'deleted' },
  'an attach that is undone': { status: 'deleted' },
  'a detach': { status: 'deleted' },
  'a start': { status: 'deleted' },
  'a stop': { status: 'deleted' },
  'a reboot': { status: 'deleted' },
  'a pause': { status: 'deleted' },
  'an unpause': { status: 'deleted' },
  'a suspend': { status: 'deleted' },
  'a resume': { status: 'deleted' },
  'a delete': { status: 'detached' },
};

/** What the guest then is, is not what was asked for. */
const ELSEWHERE: Readonly<Record<string, Outcome>> = {
  'a start': { status: 'powered', powerState: 'shutdown', disks: [] },
  'a stop': { status: 'powered', powerState: 'running', disks: [] },
  'a reboot': { status: 'powered', powerState: 'shutdown', disks: [] },
  'a pause': { status: 'powered', powerState: 'running', disks: [] },
  'an unpause': { status: 'powered', powerState: 'paused', disks: [] },
  'a suspend': { status: 'powered', powerState: 'running', disks: [] },
  'a resume': { status: 'powered', powerState: 'paused', disks: [] },
};

/** Each course with each misfortune, named by a sentence. */
export function misfortunes(): Map<string, Misfortune> {
  const all = new Map<string, Misfortune>();
  for (const [name, course] of Object.entries(COURSES)) {
    const add = (what: string, befalls: Misfortune['befalls']) =>
      all.set(`${name}: ${what}`, { course, befalls, comesLate: what.endsWith('after its end') });
    for (let nth = 0; nth < course.commands; nth++) ofCommand(nth, name, add);
    ofCinder(name, course, add);
    if (name.startsWith('a build')) {
      add('there is no room at first', (world) => void (world.turnsAway = { method: 'place', after: 0 }));
    } else {
      add('its host is away at first', goesAway);
    }
  }
  for (const [name, course] of Object.entries(SEALED_COURSES)) {
    const unreadable = ({ host }: World) => void host.luck.push(answers(failed('secret-unreadable')));
    all.set(`${name}: the host has a new key`, { course, befalls: unreadable });
    for (const code of ['cinder-unreachable', 'internal'] as const) {
      const befalls = (world: World) => {
        unreadable(world);
        world.volumes.refuse = { call: 'connection', code, times: 2 };
      };
      all.set(`${name}: the host has a new key, and Cinder answers ${code}`, { course, befalls });
    }
    const andGoesAway = (world: World) =>
      void world.host.luck.push((_act, answer) => {
        void goesAway(world).then(() => answer(failed('secret-unreadable')));
      });
    all.set(`${name}: the host has a new key, and goes away`, { course, befalls: andGoesAway });
  }
  return all;
}

function ofCommand(nth: number, name: string, add: (what: string, befalls: Misfortune['befalls']) => void): void {
  const its = `its command ${nth + 1}`;
  const usual = Array<null>(nth).fill(null);
  const meets = (what: string, luck: readonly Luck[]) =>
    add(`${its} ${what}`, ({ host }) => void host.luck.push(...usual, ...luck));
  for (const [what, luck] of Object.entries(LUCK)) meets(what, luck);
  const [unfitting, elsewhere] = [UNFITTING[name], ELSEWHERE[name]];
  if (unfitting !== undefined) meets('gets the answer to another', [answers(unfitting)]);
  if (elsewhere !== undefined) meets('has not led where it should', [answers(elsewhere)]);
  add(`${its} finds no queue`, ({ host }) => void host.sending.push(...usual, 'no queue'));
  add(`${its} is not heard to be taken`, ({ host }) => void host.sending.push(...usual, 'not heard'));
  add(`${its} would meet another`, (world) => void (world.turnsAway = { method: 'dispatch', after: nth }));
  add(`${its} is taken by a host that then goes away`, (world) => {
    world.host.luck.push(...usual, (act, answer) => {
      const outcome = act();
      void goesAway(world).then(() => answer(outcome));
    });
  });
}

function ofCinder(name: string, { asks }: Course, add: (what: string, befalls: Misfortune['befalls']) => void): void {
  for (const call of asks) {
    for (const code of ['cinder-unreachable', 'internal'] as const) {
      add(`Cinder answers ${code} to ${call}`, ({ volumes }) => void (volumes.refuse = { call, code, times: 2 }));
    }
    // A build would go on to look for another host.
    if (call === 'connectAttachment' && name.startsWith('a build')) continue;
    add(`Cinder is away for its ${call}, and then the host`, (world) => {
      world.volumes.refuse = { call, code: 'cinder-unreachable', times: 1 };
      void world.clock.sleep(millis(100)).then(() => goesAway(world));
    });
  }
}

/** The host's worker goes down, and is back after a while. */
export async function goesAway(world: World): Promise<void> {
  await world.store.serviceStopped(HOST, 'nova-compute');
  void world.clock.sleep(seconds(90)).then(async () => {
    await world.hostReports();
    await world.store.wake({ for: 'host', host: HOST });
  });
}
