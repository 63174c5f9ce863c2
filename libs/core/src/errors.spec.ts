import { describe, expect, it } from '@jest/globals';
import { NovellaError, toErrorRecord } from './errors.js';

describe('the record of an error', () => {
  it('has the code, its grade, the facts and what caused it', () => {
    const cause = new Error('unable to execute QEMU command');
    const error = new NovellaError('disk-cannot-grow', 'libvirt refused', { wanted: 2 }, { cause });
    expect(toErrorRecord(error)).toEqual({
      code: 'disk-cannot-grow',
      grade: 'infeasible',
      message: 'libvirt refused',
      facts: { wanted: 2, cause: 'unable to execute QEMU command' },
    });
  });

  it('keeps a cause to a length that fits a row', () => {
    const error = new NovellaError('internal', 'x', {}, { cause: new Error('y'.repeat(5_000)) });
    expect(toErrorRecord(error).facts['cause']).toHaveLength(1_000);
  });

  it('is internal, with its own text, for what is no error of ours', () => {
    expect(toErrorRecord(new TypeError('bad'))).toMatchObject({ code: 'internal', message: 'TypeError: bad' });
    expect(toErrorRecord('thrown text')).toMatchObject({ code: 'internal', message: 'thrown text' });
  });
});
