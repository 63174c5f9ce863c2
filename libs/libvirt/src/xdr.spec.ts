import { describe, expect, it } from '@jest/globals';
import {
  array,
  bool,
  char,
  type Codec,
  decode,
  encode,
  fixedArray,
  fixedOpaque,
  hyper,
  int,
  nothing,
  opaque,
  optional,
  string,
  struct,
  uhyper,
  uint,
  XdrError,
} from './xdr.js';

const hex = (buffer: Buffer): string => buffer.toString('hex');
const bin = (text: string): Buffer => Buffer.from(text.replaceAll(' ', ''), 'hex');
const pair = struct<{ a: number; b: string }>({ a: int, b: string(8) });

type Case = readonly [name: string, codec: Codec<never>, value: unknown, bytes: string];
const both = <T>(name: string, codec: Codec<T>, value: T, bytes: string): Case => [name, codec as never, value, bytes];

describe('XDR', () => {
  it.each<Case>([
    both('int', int, -2, 'fffffffe'),
    both('largest int', int, 2_147_483_647, '7fffffff'),
    both('uint', uint, 4_294_967_295, 'ffffffff'),
    both('char, in four bytes', char, 65, '00000041'),
    both('negative char', char, -1, 'ffffffff'),
    both('hyper', hyper, -2n, 'fffffffffffffffe'),
    both('uhyper above 2^53', uhyper, 18_446_744_073_709_551_615n, 'ffffffffffffffff'),
    both('true', bool, true, '00000001'),
    both('string padded to four', string(8), 'abcde', '00000005 61626364 65000000'),
    both('string that needs no padding', string(8), 'abcd', '00000004 61626364'),
    both('empty string', string(8), '', '00000000'),
    both('string counted in bytes', string(8), '€', '00000003 e282ac00'),
    both('opaque', opaque(8), bin('0102'), '00000002 01020000'),
    both('fixed opaque, without a count', fixedOpaque(3), bin('010203'), '01020300'),
    both('absent', optional(int), null, '00000000'),
    both('present', optional(int), 7, '00000001 00000007'),
    both('array', array(int, 3), [1, 2], '00000002 00000001 00000002'),
    both('fixed array, without a count', fixedArray(int, 2), [1, 2], '00000001 00000002'),
    both('struct in the order of its fields', pair, { a: 1, b: 'x' }, '00000001 00000001 78000000'),
    both('nothing', nothing, undefined, ''),
  ])('encodes and decodes %s', (_name, codec, value, bytes) => {
    expect(hex(encode(codec, value as never))).toBe(bytes.replaceAll(' ', ''));
    expect(decode(codec, bin(bytes))).toEqual(value);
  });

  it.each<readonly [string, () => unknown]>([
    ['an int that is too large', () => encode(int, 2 ** 31)],
    ['a negative uint', () => encode(uint, -1)],
    ['a char that is too large', () => encode(char, 128)],
    ['a fraction', () => encode(int, 1.5)],
    ['NaN', () => encode(int, Number.NaN)],
    ['a hyper of 65 bits', () => encode(uhyper, 2n ** 64n)],
    ['a negative uhyper', () => encode(uhyper, -1n)],
    ['a hyper that is too large', () => encode(hyper, 2n ** 63n)],
    ['a string above its limit', () => encode(string(2), 'abc')],
    ['a string whose bytes are above its limit', () => encode(string(2), '€')],
    ['a string with a NUL', () => encode(string(8), 'a\0b')],
    ['an array above its limit', () => encode(array(int, 1), [1, 2])],
    ['a fixed opaque of another length', () => encode(fixedOpaque(2), bin('01'))],
    ['a fixed array of another length', () => encode(fixedArray(int, 2), [1])],
  ])('refuses to encode %s', (_name, act) => {
    expect(act).toThrow(XdrError);
  });

  it.each<readonly [string, () => unknown]>([
    ['a message that ends too early', () => decode(uint, bin('000000'))],
    ['a message with bytes left over', () => decode(uint, bin('0000000000000000'))],
    ['a string longer than the message', () => decode(string(100), bin('00000064 61626364'))],
    ['a string without its padding', () => decode(string(8), bin('00000001 61'))],
    ['a string above its limit', () => decode(string(2), bin('00000003 61626300'))],
    ['an array above its limit', () => decode(array(nothing, 8), bin('ffffffff'))],
    ['a boolean that is neither', () => decode(bool, bin('00000002'))],
    ['an optional that is neither', () => decode(optional(int), bin('00000002 00000001'))],
    ['a char above its range', () => decode(char, bin('00000100'))],
  ])('refuses to decode %s', (_name, act) => {
    expect(act).toThrow(XdrError);
  });
});
