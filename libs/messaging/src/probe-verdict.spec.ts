import { describe, expect, it } from '@jest/globals';
import { judge, type ProbeRound, type ProbeVerdict } from './probe-verdict.js';

const look = { ready: 0, consumers: 1 };
const heard: ProbeRound = { away: false, room: 'free', sent: 'confirmed', probes: 1, arrived: true, look };
const unheard: ProbeRound = { ...heard, arrived: false };

describe('a round of probing', () => {
  it.each<[string, ProbeRound, ProbeVerdict]>([
    ['a probe that arrived proves that the server hears', heard, { kind: 'hears' }],
    ['so does any message to a server that was paused', { ...heard, room: 'paused' }, { kind: 'hears' }],
    [
      'what arrived proves little when the broker no longer answers on that channel',
      { ...heard, look: null },
      { kind: 'deaf', why: 'no-answer' },
    ],
    [
      'a confirmed probe that did not come to the only consumer there is',
      unheard,
      { kind: 'deaf', why: 'not-delivered' },
    ],
    [
      'one that a second consumer may have taken asks for two for each',
      { ...unheard, look: { ready: 0, consumers: 2 } },
      { kind: 'shared', probes: 4 },
    ],
    [
      'as does a broker that cannot tell how many consumers there are',
      { ...unheard, look: { ready: 0, consumers: 0 } },
      { kind: 'shared', probes: 2 },
    ],
    [
      'two for each that did not come',
      { ...unheard, probes: 4, look: { ready: 0, consumers: 2 } },
      { kind: 'deaf', why: 'not-delivered' },
    ],
    [
      'more consumers than at the first try ask for more',
      { ...unheard, probes: 4, look: { ready: 0, consumers: 3 } },
      { kind: 'shared', probes: 6 },
    ],
    [
      'very many consumers are not flooded',
      { ...unheard, look: { ready: 0, consumers: 10_000 } },
      { kind: 'shared', probes: 200 },
    ],
    ['a full window that answers is busy', { ...unheard, room: 'full', sent: 'not-sent' }, { kind: 'busy' }],
    ['a pause for a retry is busy', { ...unheard, room: 'paused' }, { kind: 'busy' }],
    ['a server that ends is busy', { ...unheard, room: 'stopped', look: null }, { kind: 'busy' }],
    [
      'a full window whose channel is dead is deaf',
      { ...unheard, room: 'full', sent: 'not-sent', look: null },
      { kind: 'deaf', why: 'no-answer' },
    ],
    [
      'a queue that is not consumed is deaf',
      { ...unheard, room: 'idle', sent: 'not-sent', look: null },
      { kind: 'deaf', why: 'not-consuming' },
    ],
    ['a queue that is not bound is deaf', { ...unheard, sent: 'returned' }, { kind: 'deaf', why: 'no-route' }],
    [
      'a broker that went away or blocked meanwhile says nothing of the consumer',
      { ...unheard, away: true, look: null },
      { kind: 'away' },
    ],
    ['a broker that confirms nothing', { ...unheard, sent: 'unconfirmed', look: null }, { kind: 'unanswered' }],
    ['a broker that refused the probe just now proves nothing', { ...unheard, sent: 'not-sent' }, { kind: 'unproven' }],
    ['an empty queue proves nothing without a probe', { ...unheard, sent: 'refused' }, { kind: 'unproven' }],
    [
      'a queue in which something waits is proof enough without one',
      { ...unheard, sent: 'refused', look: { ready: 3, consumers: 2 } },
      { kind: 'deaf', why: 'not-delivered' },
    ],
  ])('%s', (_what, round, verdict) => {
    expect(judge(round)).toEqual(verdict);
  });
});
