import { describe, expect, it } from '@jest/globals';
import { gib, NovellaError, type ProjectId, seconds } from '@novella/core';
import { virtualClock, VOLUME } from '@novella/testing';
import { noticingReturn } from './cinder-volume-service.js';
import type { VolumeService } from './volume-service.js';

const PROJECT = 'd'.repeat(32) as ProjectId;

/** Answers, one after another, what `answers` say: an error is thrown. */
function service(answers: ('cinder-unreachable' | 'volume-not-found' | 'ok')[]): VolumeService {
  const refuse = () => Promise.reject(new Error('not asked for here'));
  return {
    volume: () => {
      const answer = answers.shift() ?? 'ok';
      return answer === 'ok'
        ? Promise.resolve({ size: gib(1), status: 'in-use' })
        : Promise.reject(new NovellaError(answer, answer));
    },
    attachments: refuse,
    connectAttachment: refuse,
    completeAttachment: refuse,
    deleteAttachment: refuse,
    deleteVolume: refuse,
    volumesInUse: () => {
      throw new Error('not asked for here');
    },
  };
}

async function returnsSeen(answers: Parameters<typeof service>[0], pause = seconds(0)): Promise<number> {
  let returns = 0;
  const asks = answers.length;
  const clock = virtualClock();
  const watched = noticingReturn(service(answers), clock, () => (returns += 1));
  for (let ask = 0; ask < asks; ask++) {
    await watched.volume(PROJECT, VOLUME).catch(() => undefined);
    await clock.advance(pause);
  }
  return returns;
}

describe('the return of Cinder', () => {
  it('is noticed once, at the first good answer', async () => {
    expect(await returnsSeen(['cinder-unreachable', 'cinder-unreachable', 'ok', 'ok'])).toBe(1);
  });

  it('is not noticed again and again where Cinder serves one and not another', async () => {
    const mixed = ['cinder-unreachable', 'ok', 'cinder-unreachable', 'ok', 'cinder-unreachable', 'ok'] as const;
    expect(await returnsSeen([...mixed])).toBe(1);
    expect(await returnsSeen([...mixed], seconds(10))).toBe(3);
  });

  it('is not what a refusal or a good answer alone says', async () => {
    expect(await returnsSeen(['ok', 'volume-not-found', 'ok'])).toBe(0);
  });
});
