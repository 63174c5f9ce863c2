import { expect, it } from '@jest/globals';
import { storable, storableText } from './text.js';

it.each([
  ['plain 😀 text', 'plain 😀 text'],
  ['a\u0000b', 'a\ufffdb'],
  ['\ud800', '\ufffd'],
  ['\udc00\ud800', '\ufffd\ufffd'],
  ['\ud83d\ude00\ud83d', '😀\ufffd'],
])('%j is stored as %j', (text, stored) => {
  expect(storableText(text)).toBe(stored);
});

it('cleans keys and strings at any depth and leaves the rest', () => {
  const at = new Date(0);
  expect(storable({ 'k\u0000': ['\u0000', { n: 1, none: null, at }] })).toEqual({
    'k\ufffd': ['\ufffd', { n: 1, none: null, at }],
  });
});
