import { describe, expect, it } from '@jest/globals';
import { millis, seconds } from '@novella/core';
import { TokenCache } from './token-cache.js';

describe('a token cache', () => {
  it('forgets what is older than its life, however often it was asked for', () => {
    const cache = new TokenCache<string>({ entries: 10, life: seconds(300) });
    cache.put('a', 'A', millis(0));
    expect(cache.get('a', seconds(299))).toBe('A');
    expect(cache.get('a', seconds(300))).toBeUndefined();
    expect(cache.size).toBe(0);
  });

  it('holds so many and no more: what was not asked for the longest goes', () => {
    const cache = new TokenCache<number>({ entries: 3, life: seconds(300) });
    for (const [index, key] of ['a', 'b', 'c'].entries()) cache.put(key, index, millis(0));
    cache.get('a', millis(1));
    cache.put('d', 3, millis(2));
    expect(['a', 'b', 'c', 'd'].map((key) => cache.get(key, millis(3)))).toEqual([0, undefined, 2, 3]);
    expect(cache.size).toBe(3);
  });

  it('takes a newer value for an old one', () => {
    const cache = new TokenCache<number>({ entries: 3, life: seconds(300) });
    cache.put('a', 1, seconds(0));
    cache.put('a', 2, seconds(200));
    expect([cache.get('a', seconds(400)), cache.size]).toEqual([2, 1]);
  });

  it('keeps nothing with a life of 0', () => {
    const cache = new TokenCache<number>({ entries: 3, life: millis(0) });
    cache.put('a', 1, seconds(1));
    expect(cache.get('a', seconds(1))).toBeUndefined();
  });
});
