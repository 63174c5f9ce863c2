import { describe, expect, it } from '@jest/globals';
import type { Attachment, CinderClient, Volume } from '@novella/cinder';
import { gib, NovellaError, type ProjectId, seconds, toErrorRecord } from '@novella/core';
import { ATTACHMENT, CONNECTION, virtualClock, VOLUME } from '@novella/testing';
import { cinderVolumeService, noticingReturn } from './cinder-volume-service.js';
import type { VolumeService } from './volume-service.js';

const PROJECT = 'd'.repeat(32) as ProjectId;

/** Answers, one after another, what `answers` say: an error is thrown. */
function service(answers: ('cinder-unreachable' | 'volume-not-found' | 'ok')[]): VolumeService {
  const refuse = () => Promise.reject(new Error('not asked for here'));
  return {
    volume: () => {
      const answer = answers.shift() ?? 'ok';
      return answer === 'ok'
        ? Promise.resolve({ size: gib(1), status: 'in-use', extendingTo: null })
        : Promise.reject(new NovellaError(answer, answer));
    },
    attachments: refuse,
    connectAttachment: refuse,
    connection: refuse,
    completeAttachment: refuse,
    deleteAttachment: refuse,
    beginDetaching: refuse,
    rollDetaching: refuse,
    completeExtend: refuse,
    encryption: refuse,
    deleteVolume: refuse,
    volumesThatAre: () => {
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

describe('the volume service on Cinder', () => {
  /** Only what a test says is answered. */
  const on = (answers: Partial<CinderClient>): VolumeService => cinderVolumeService(() => answers as CinderClient);
  const volume = (status: string, metadata: Record<string, string> = {}) => ({
    getVolume: () => Promise.resolve({ size: gib(1), status, metadata } as unknown as Volume),
  });
  const refuse = (code: 'cinder-refused' | 'volume-not-found' | 'cinder-unreachable') => () =>
    Promise.reject(new NovellaError(code, code));
  const codeOf = (promise: Promise<unknown>) =>
    promise.then(
      () => 'ok',
      (error: unknown) => toErrorRecord(error).code,
    );

  it('opens a volume with the fixed key that it was given, and with none otherwise', async () => {
    const encryption = { ...{ provider: 'luks', controlLocation: 'front-end', cipher: null, keySize: null } } as const;
    const keyId = '00000000-0000-0000-0000-000000000000';
    const client = { getEncryption: () => Promise.resolve({ ...encryption, keyId }) } as unknown as CinderClient;
    const service = cinderVolumeService(() => client, 'AB12');
    expect(await service.encryption(PROJECT, VOLUME)).toEqual({ luks_passphrase: 'ab12' });
    expect(await codeOf(cinderVolumeService(() => client).encryption(PROJECT, VOLUME))).toBe('volume-key-missing');
  });

  it.each([
    ['extending', { extend_new_size: '3' }, 3],
    ['extending', { extend_new_size: '03' }, null],
    ['extending', { extend_new_size: '99999999999999' }, null],
    ['extending', {}, null],
    // What was left behind by an extend that has ended.
    ['in-use', { extend_new_size: '3' }, null],
  ])('says what Cinder waits for: %s with %j', async (status, metadata, extendingTo) => {
    expect(await on(volume(status, metadata)).volume(PROJECT, VOLUME)).toEqual({ size: 1, status, extendingTo });
  });

  it.each([
    ['that waits for this size', 'extending', '2', [false]],
    ['that waits for another growth by now', 'extending', '3', []],
    ['that has heard of it', 'in-use', '2', []],
  ])('tells a Cinder %s of the end of a growth', async (_which, status, extend_new_size, told) => {
    const errors: boolean[] = [];
    const completeExtend = (_volume: unknown, error: boolean) => Promise.resolve(void errors.push(error));
    await on({ completeExtend, ...volume(status, { extend_new_size }) }).completeExtend(
      PROJECT,
      VOLUME,
      gib(2),
      'grown',
    );
    expect(errors).toEqual(told);
  });

  it('takes a volume that is detaching as begun, and a refusal of any other as one', async () => {
    const beginDetaching = refuse('cinder-refused');
    const begin = (status: string) => codeOf(on({ beginDetaching, ...volume(status) }).beginDetaching(PROJECT, VOLUME));
    expect(await begin('detaching')).toBe('ok');
    expect(await begin('extending')).toBe('cinder-refused');
    const away = { beginDetaching: refuse('cinder-unreachable'), ...volume('detaching') };
    expect(await codeOf(on(away).beginDetaching(PROJECT, VOLUME))).toBe('cinder-unreachable');
  });

  it('has nothing to roll back for a volume that is gone', async () => {
    const roll = (code: Parameters<typeof refuse>[0]) =>
      codeOf(on({ rollDetaching: refuse(code) }).rollDetaching(PROJECT, VOLUME));
    expect(await roll('volume-not-found')).toBe('ok');
    expect(await roll('cinder-refused')).toBe('cinder-refused');
  });

  it('answers no connection of an attachment that was never connected or is gone', async () => {
    const found = { connection: CONNECTION, secret: { auth_password: 'x' } } as unknown as Attachment;
    const connection = (answer: Attachment | null) =>
      on({ getAttachment: () => Promise.resolve(answer) }).connection(PROJECT, ATTACHMENT);
    expect(await connection(found)).toEqual({ connection: CONNECTION, secret: { auth_password: 'x' } });
    expect(await connection({ ...found, connection: null })).toBeNull();
    expect(await connection(null)).toBeNull();
  });
});
