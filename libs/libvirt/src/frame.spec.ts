import { describe, expect, it } from '@jest/globals';
import { encodeFrame, type Frame, FrameReader, PROGRAM, STATUS, TYPE } from './frame.js';
import { XdrError } from './xdr.js';

const frame = (serial: number, body = Buffer.from('0000002a', 'hex')): Frame => ({
  program: PROGRAM.remote,
  procedure: 66,
  type: TYPE.call,
  serial,
  status: STATUS.ok,
  body,
});

describe('a packet', () => {
  it('counts its own length word and header', () => {
    const packet = encodeFrame(frame(7)).toString('hex');
    expect(packet).toBe('00000020200080860000000100000042000000000000000700000000' + '0000002a');
  });

  it.each([1, 3, 27, 28, 29, 100])('is found again in a stream cut into pieces of %i bytes', (size) => {
    const frames = [frame(1), frame(2, Buffer.alloc(0)), frame(3, Buffer.alloc(64, 5))];
    const stream = Buffer.concat(frames.map(encodeFrame));
    const reader = new FrameReader();
    const seen: Frame[] = [];
    for (let at = 0; at < stream.length; at += size) seen.push(...reader.push(stream.subarray(at, at + size)));
    expect(seen).toEqual(frames);
  });

  it.each([
    ['shorter than a header', '0000001b'],
    ['of no length', '00000000'],
    ['longer than libvirt allows', '7fffffff'],
    ['of text', Buffer.from('HTTP').toString('hex')],
    ['of another version', '0000001c200080860000000200000042000000000000000700000000'],
  ])('%s is refused', (_what, bytes) => {
    expect(() => new FrameReader().push(Buffer.from(bytes, 'hex'))).toThrow(XdrError);
  });

  it('above the limit is not sent', () => {
    expect(() => encodeFrame(frame(1, Buffer.alloc(33 * 1024 * 1024)))).toThrow(XdrError);
  });
});
