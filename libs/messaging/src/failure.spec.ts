import { describe, expect, it } from '@jest/globals';
import { type ErrorCode, ERRORS, NovellaError } from '@novella/core';
import {
  decodeFailure,
  encodeFailure,
  noSuchMethod,
  type OsloFailure,
  parseFailure,
  unsupportedVersion,
} from './failure.js';

const overTheWire = (failure: OsloFailure) => decodeFailure(parseFailure(JSON.stringify(failure)));
const ours = (kwargs: Record<string, unknown>): OsloFailure => ({ ...encodeFailure(new Error('x')), kwargs });

describe('failures', () => {
  it.each(Object.keys(ERRORS) as ErrorCode[])('bring %s over with its grade, text and facts', (code) => {
    const sent = new NovellaError(code, 'what happened', { bytes: 5, path: '/dev/x', on: true, none: null });
    expect(overTheWire(encodeFailure(sent))).toEqual(sent);
  });

  it('keep a grade that differs from the catalogue', () => {
    const sent = new NovellaError('paths-down', 'no path', {}, { grade: 'final' });
    expect(overTheWire(encodeFailure(sent)).grade).toBe('final');
  });

  it('send what is no NovellaError as internal, without its stack', () => {
    const failure = encodeFailure(new TypeError('defect'));
    expect(failure.tb).toEqual([]);
    expect(overTheWire(failure)).toMatchObject({ code: 'internal', message: 'TypeError: defect' });
  });

  it.each([
    ['NoSuchMethod', noSuchMethod('shrink')],
    ['UnsupportedVersion', unsupportedVersion('9.0', 'ping')],
  ])('take %s of the dispatcher as an invalid message', (remoteClass, failure) => {
    expect(overTheWire(failure)).toMatchObject({ code: 'rpc-message-invalid', facts: { remoteClass } });
  });

  it.each([
    ['a class of another module', { ...encodeFailure(new Error('x')), module: 'os' }],
    ['another class of the dispatcher', { ...noSuchMethod('x'), class: 'RPCDispatcherError' }],
    ['our class with an unknown code', ours({ code: 'made-up', grade: 'final', facts: {} })],
    ['our class with a code of the prototype', ours({ code: 'constructor', grade: 'final', facts: {} })],
    ['our class with an unknown grade', ours({ code: 'internal', grade: 'fatal', facts: {} })],
    ['our class without facts', ours({ code: 'internal', grade: 'final' })],
    ['our class with nested facts', ours({ code: 'internal', grade: 'final', facts: { a: {} } })],
  ])('take %s as a remote failure that is not ours', (_what, failure) => {
    expect(overTheWire(failure)).toMatchObject({
      code: 'rpc-remote-failure',
      facts: { remoteModule: failure.module, remoteClass: failure.class },
    });
  });
});
