import { describe, expect, it } from '@jest/globals';
import { allParts, parseOptions, type VerifyOptions } from './options.js';

function asked(...words: string[]): VerifyOptions {
  const parsed = parseOptions(words);
  if (parsed.kind !== 'run') throw new Error(`it is ${parsed.kind}`);
  return parsed.options;
}

const wrong = (...words: string[]): readonly string[] => {
  const parsed = parseOptions(words);
  return parsed.kind === 'wrong' ? parsed.faults.map((fault) => fault.split(' ')[0] ?? '') : [];
};

describe("verify's options", () => {
  it('are ten thousand events and more than sixty kills of every part when nothing is said', () => {
    expect(asked()).toEqual({
      scenario: 'chaos',
      events: 10_000,
      seed: 1,
      kills: 64,
      parts: allParts(3),
      computes: 3,
      lengthS: null,
      awayS: 0,
      plant: 'none',
      keep: false,
    });
  });

  it.each([
    ['broker-away', 5_000, 120],
    ['host-away', 1_000, 20],
  ])('are for %s its own number of events and seconds', (scenario, events, awayS) => {
    expect(asked('--scenario', scenario)).toMatchObject({ events, awayS });
  });

  it('name parts one by one or all of a kind, once each', () => {
    const { parts } = asked('--parts', 'compute,rabbitmq,conductor-2,compute-1', '--computes', '2');
    expect(parts).toEqual(['conductor-2', 'compute-1', 'compute-2', 'rabbitmq']);
  });

  it('are refused all at once', () => {
    const words = ['--events', '0', '--seed', 'x', '--parts', 'nova', '--scenario', 'war'];
    expect(wrong(...words)).toEqual(['--scenario', '--events', '--seed', '--parts']);
  });

  it.each([[['--parts', '']], [['--parts', 'compute-9']], [['--computes', '9']], [['--nonsense']]])(
    'refuse %j',
    (words) => {
      expect(parseOptions(words).kind).toBe('wrong');
    },
  );

  it('refuse to take away the only host', () => {
    expect(wrong('--scenario', 'host-away', '--computes', '1')).toEqual(['--computes']);
  });
});
