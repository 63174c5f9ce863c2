import { describe, expect, it } from '@jest/globals';
import { OPERATION_STATES, type OperationState, WAITING_FOR } from '@novella/core';
import type { Operation, Standing } from '@novella/persistence';
import { HOST, operation } from '@novella/testing';
import { nextStep, ownerOf, type Shown, standsSince } from './next-step.js';
import { describeOperation } from './operation.js';

const NOW = new Date('2026-01-02T03:04:05Z');
const NEXT = new Date('2026-01-02T03:05:05Z');
const BEFORE = new Date('2026-01-02T03:03:05Z');

const standing = (over: Partial<Standing> = {}): Standing => ({
  ...operation(),
  claim: null,
  dueAt: NEXT,
  hostState: { host: HOST, up: true, forcedDown: false, lastReportAt: BEFORE },
  requests: [],
  readAt: NOW,
  ...over,
});
const waitsForHost = (hostState: Partial<NonNullable<Standing['hostState']>>): string =>
  nextStep(
    standing({
      state: 'waiting',
      waitingFor: 'host',
      nextAt: NEXT,
      hostState: { host: HOST, up: false, forcedDown: false, lastReportAt: BEFORE, ...hostState },
    }),
  );

describe('nextStep', () => {
  it.each<[string, Shown, string]>([
    ['queued', standing({ state: 'queued' }), 'the next conductor that is free takes it up'],
    [
      'claimed',
      standing({ state: 'queued', claim: { by: 'conductor-1', until: NEXT } }),
      'conductor-1 works on it now; should that end without a word, another conductor takes it up at 2026-01-02T03:05:05.000Z',
    ],
    [
      'dispatched',
      standing({ state: 'dispatched', host: HOST, deadline: NEXT }),
      `host ${HOST} carries out the command and answers; without an answer it is asked what it has done after 2026-01-02T03:05:05.000Z`,
    ],
    [
      'dispatched to a host that is down',
      standing({
        state: 'dispatched',
        host: HOST,
        deadline: NEXT,
        hostState: { host: HOST, up: false, forcedDown: false, lastReportAt: BEFORE },
      }),
      `host ${HOST} is down: it finds the command when it is back, and is asked what it has done after 2026-01-02T03:05:05.000Z`,
    ],
    [
      'past its deadline',
      standing({ state: 'dispatched', host: HOST, deadline: BEFORE }),
      `host ${HOST} has not answered in time: a conductor asks it what it has done`,
    ],
    [
      'waiting, and due',
      standing({ state: 'waiting', waitingFor: 'server-task', nextAt: BEFORE }),
      'another operation of the server or the volume is under way: goes on when that has ended, due now: the next conductor that is free looks at it',
    ],
  ])('says of one that is %s what comes', (_what, shown, said) => {
    expect(nextStep(shown)).toBe(said);
  });

  it('says why its host is waited for', () => {
    expect([waitsForHost({}), waitsForHost({ forcedDown: true }), waitsForHost({ up: true })]).toEqual([
      `host ${HOST} is down, last heard of at 2026-01-02T03:03:05.000Z: goes on at its next report, looked at again at 2026-01-02T03:05:05.000Z`,
      `host ${HOST} is forced down: goes on at its first report after that is lifted, looked at again at 2026-01-02T03:05:05.000Z`,
      `host ${HOST} could not take the command: it is up, and is sent it again, looked at again at 2026-01-02T03:05:05.000Z`,
    ]);
    expect(waitsForHost({ lastReportAt: null })).toContain(`host ${HOST} is down: goes on`);
  });

  it('says for each reason to wait what wakes it, and when it is looked at anyway', () => {
    const said = WAITING_FOR.map((waitingFor) => nextStep(operation({ state: 'waiting', waitingFor, nextAt: NEXT })));
    expect(new Set(said).size).toBe(WAITING_FOR.length);
    for (const next of said) expect(next).toContain('2026-01-02T03:05:05.000Z');
  });

  it('has nothing for what has ended', () => {
    const ended = OPERATION_STATES.filter((state) => /nothing/.test(nextStep(operation({ state, waitingFor: null }))));
    expect(ended).toEqual(['succeeded', 'failed']);
  });
});

describe('ownerOf', () => {
  it.each<[OperationState, string | null]>([
    ['queued', 'any conductor'],
    ['waiting', 'any conductor'],
    ['dispatched', `${HOST} until 2026-01-02T03:05:05.000Z`],
    ['succeeded', null],
    ['failed', null],
  ])('names who is to act on one that is %s', (state, owner) => {
    expect(ownerOf(standing({ state, host: HOST, deadline: NEXT }))).toBe(owner);
  });

  it('names the conductor that works on it, whatever its state', () => {
    const claim = { by: 'conductor-2', until: NEXT };
    expect(ownerOf(standing({ state: 'dispatched', host: HOST, deadline: BEFORE, claim }))).toBe(
      'conductor-2 until 2026-01-02T03:05:05.000Z',
    );
  });
});

describe('standsSince', () => {
  const timeline = (...entries: [OperationState, string][]): Operation['timeline'] =>
    entries.map(([state, note], index) => ({ at: `t${index}`, state, note }));

  it.each([
    ['the last change', timeline(['queued', 'accepted'], ['waiting', 'host']), { at: 't1', orLonger: false }],
    [
      'the first of several looks that found the same',
      timeline(['queued', 'accepted'], ['waiting', 'cinder'], ['waiting', 'host'], ['waiting', 'host']),
      { at: 't2', orLonger: false },
    ],
    [
      'the oldest entry, when all say the same',
      timeline(['waiting', 'host'], ['waiting', 'host']),
      { at: 't0', orLonger: true },
    ],
    ['the beginning', timeline(['queued', 'accepted']), { at: 't0', orLonger: false }],
    ['nothing without a timeline', timeline(), null],
  ])('is %s', (_what, entries, since) => {
    expect(standsSince({ timeline: entries })).toEqual(since);
  });
});

describe('describeOperation', () => {
  const waiting = standing({
    state: 'waiting',
    waitingFor: 'cinder',
    step: null,
    nextAt: NEXT,
    requests: [{ requestId: 'req-1' as Standing['requests'][number]['requestId'], isFinished: false }],
    error: { code: 'cinder-unreachable', grade: 'unsure', message: 'refused', facts: { url: 'http://cinder' } },
    timeline: [
      { at: '2026-01-02T03:04:05Z', state: 'queued', note: 'accepted' },
      { at: '2026-01-02T03:04:06Z', state: 'waiting', note: 'cinder-unreachable' },
    ],
  });

  it('shows the error with its facts and the timeline, and leaves out what is not there', () => {
    const text = describeOperation(waiting);
    expect(text).toMatch(/^state: +waiting for cinder$/m);
    expect(text).toMatch(/^error: +cinder-unreachable \(unsure\): refused$/m);
    expect(text).toMatch(/^ {2}url: +http:\/\/cinder$/m);
    expect(text).toMatch(/^ {2}2026-01-02T03:04:06Z {2}waiting {2}cinder-unreachable$/m);
    expect(text).not.toMatch(/^step:/m);
  });

  it('shows since when it stands so, for whom, who has it and what comes next', () => {
    const text = describeOperation(waiting);
    expect(text).toMatch(/^since: +2026-01-02T03:04:06Z$/m);
    expect(text).toMatch(/^request: +req-1$/m);
    expect(text).toMatch(/^owner: +any conductor$/m);
    expect(text).toMatch(/^due: +2026-01-02T03:05:05.000Z$/m);
    expect(text).toMatch(/^next: +Cinder does not answer as it should: goes on at its first good answer, looked at/m);
  });
});
