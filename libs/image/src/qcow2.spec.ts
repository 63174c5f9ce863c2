import { describe, expect, it } from '@jest/globals';
import { parseQcow2Header } from './qcow2.js';

/** A sound version 3 header without extensions, then one change. */
function header(change: (head: Buffer) => void = () => undefined): Buffer {
  const head = Buffer.alloc(4096);
  head.writeUInt32BE(0x514649fb, 0);
  head.writeUInt32BE(3, 4);
  head.writeUInt32BE(16, 20);
  head.writeBigUInt64BE(5n * 2n ** 30n, 24);
  head.writeUInt32BE(104, 100);
  change(head);
  return head;
}

describe('parseQcow2Header', () => {
  it('reads the virtual size of versions 2 and 3', () => {
    const usual = { virtualSize: 5 * 2 ** 30, snapshots: 0 };
    expect(parseQcow2Header(header())).toEqual({ ...usual, version: 3 });
    const version2 = header((head) => head.writeUInt32BE(2, 4).valueOf() && head.fill(0, 72));
    expect(parseQcow2Header(version2)).toEqual({ ...usual, version: 2 });
  });

  it('counts the snapshots inside the image', () => {
    expect(parseQcow2Header(header((head) => head.writeUInt32BE(3, 60)))).toMatchObject({ snapshots: 3 });
  });

  it('goes past extensions that it does not know, padded to eight bytes', () => {
    const head = header((buffer) => {
      buffer.writeUInt32BE(0x6803f857, 104);
      buffer.writeUInt32BE(5, 108);
    });
    expect(parseQcow2Header(head)).toMatchObject({ virtualSize: 5 * 2 ** 30 });
  });

  it.each([
    ['another magic', header((head) => head.writeUInt32BE(0, 0))],
    ['an unknown version', header((head) => head.writeUInt32BE(4, 4))],
    ['a backing file', header((head) => head.writeBigUInt64BE(512n, 8))],
    ['encryption', header((head) => head.writeUInt32BE(2, 32))],
    ['an impossible cluster size', header((head) => head.writeUInt32BE(63, 20))],
    ['the external data file bit', header((head) => head.writeBigUInt64BE(4n, 72))],
    ['the corrupt bit', header((head) => head.writeBigUInt64BE(2n, 72))],
    ['an unknown incompatible feature', header((head) => head.writeBigUInt64BE(1n << 40n, 72))],
    ['a header that ends too early', header((head) => head.writeUInt32BE(72, 100))],
    ['a backing format extension', header((head) => head.writeUInt32BE(0xe2792aca, 104))],
    ['a data file name extension', header((head) => head.writeUInt32BE(0x44415441, 104))],
    ['extensions that run past the header', header((head) => head.writeBigUInt64BE(0x6803f857_ffffffffn, 104))],
    ['a virtual size of zero', header((head) => head.writeBigUInt64BE(0n, 24))],
    ['a virtual size beyond what can be counted', header((head) => head.writeBigUInt64BE(2n ** 63n, 24))],
    ['a file that is cut off', header().subarray(0, 90)],
    ['an empty file', Buffer.alloc(0)],
  ])('refuses %s', (_what, head) => {
    expect(() => parseQcow2Header(head)).toThrow(expect.objectContaining({ code: 'image-refused' }));
  });
});
