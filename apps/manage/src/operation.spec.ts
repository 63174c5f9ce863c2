import { describe, expect, it } from '@jest/globals';
import { OPERATION_STATES, WAITING_FOR } from '@novella/core';
import { HOST, operation } from '@novella/testing';
import { describeOperation, nextStep } from './operation.js';

const NEXT = new Date('2026-01-02T03:04:05Z');

describe('nextStep', () => {
  it('names the host and the deadline of a command that is with a host', () => {
    const next = nextStep(operation({ state: 'dispatched', host: HOST, deadline: NEXT }));
    expect(next).toContain(HOST);
    expect(next).toContain('2026-01-02T03:04:05.000Z');
  });

  it('says for each reason to wait what wakes it, and when it is looked at anyway', () => {
    const said = WAITING_FOR.map((waitingFor) => nextStep(operation({ state: 'waiting', waitingFor, nextAt: NEXT })));
    expect(new Set(said).size).toBe(WAITING_FOR.length);
    for (const next of said) expect(next).toContain('2026-01-02T03:04:05.000Z');
  });

  it('has nothing for what has ended', () => {
    const ended = OPERATION_STATES.filter((state) => /nothing/.test(nextStep(operation({ state, waitingFor: null }))));
    expect(ended).toEqual(['succeeded', 'failed']);
  });
});

describe('describeOperation', () => {
  it('shows the error with its facts and the timeline, and leaves out what is not there', () => {
    const text = describeOperation(
      operation({
        state: 'waiting',
        waitingFor: 'cinder',
        step: null,
        error: { code: 'cinder-unreachable', grade: 'unsure', message: 'refused', facts: { url: 'http://cinder' } },
        timeline: [
          { at: '2026-01-02T03:04:05Z', state: 'queued', note: 'accepted' },
          { at: '2026-01-02T03:04:06Z', state: 'waiting', note: 'cinder-unreachable' },
        ],
      }),
    );
    expect(text).toMatch(/^state: +waiting for cinder$/m);
    expect(text).toMatch(/^error: +cinder-unreachable \(unsure\): refused$/m);
    expect(text).toMatch(/^ {2}url: +http:\/\/cinder$/m);
    expect(text).toMatch(/^ {2}2026-01-02T03:04:06Z {2}waiting {2}cinder-unreachable$/m);
    expect(text).not.toMatch(/^step:/m);
  });
});
