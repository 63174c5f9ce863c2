import { describe, expect, it } from '@jest/globals';
import { NovellaError, toErrorRecord } from '@novella/core';
import { createLog, type LogLevel, withFacts } from './log.js';

function captured(level: LogLevel = 'debug') {
  const text: string[] = [];
  const log = createLog({ name: 'sample', level, destination: { write: (line: string) => void text.push(line) } });
  return { log, text, lines: () => text.map((line) => JSON.parse(line) as Record<string, unknown>) };
}

describe('createLog', () => {
  it('writes one JSON line with the level, the message and the facts beside it', () => {
    const { log, lines } = captured();
    log.info('resized', { requestId: 'req-1', bytes: 3 });
    expect(lines()).toMatchObject([{ level: 'info', name: 'sample', msg: 'resized', requestId: 'req-1', bytes: 3 }]);
  });

  it('leaves out what is below its level', () => {
    const { log, text } = captured('warn');
    log.info('not this');
    log.warn('this');
    expect(text).toHaveLength(1);
  });

  it('prints the whole chain of causes, each once', () => {
    const { log, text, lines } = captured();
    const socket = Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' });
    const unreachable = new NovellaError('hypervisor-unreachable', 'no answer', { host: 'a' }, { cause: socket });
    log.error('extend failed', { error: new Error('outermost', { cause: unreachable }) });
    expect(lines()[0]?.['error']).toMatchObject({
      message: 'outermost',
      causes: [
        { code: 'hypervisor-unreachable', facts: { host: 'a' } },
        { code: 'ECONNREFUSED', stack: expect.stringContaining('connect ECONNREFUSED') },
      ],
    });
    expect(text[0]?.match(/no answer/g)).toHaveLength(1);
  });

  it('ends a chain of causes that bites its own tail', () => {
    const { log, lines } = captured();
    const first = new Error('first');
    first.cause = new Error('second', { cause: first });
    log.error('strange', { error: first });
    expect(lines()[0]?.['error']).toMatchObject({ message: 'first', causes: [{ message: 'second' }] });
  });

  it('prints what was thrown when it is no error', () => {
    const { log, lines } = captured();
    log.error('odd', { error: 'just text' });
    expect(lines()[0]?.['error']).toEqual({ name: 'string', message: 'just text' });
  });

  it('prints an error that came as a record, with its code and facts', () => {
    const { log, lines } = captured();
    const record = toErrorRecord(new NovellaError('rpc-no-route', 'no queue', { host: 'a' }));
    log.warn('not taken', { error: record });
    expect(lines()[0]?.['error']).toEqual(record);
  });

  it('replaces secrets by name and by look, at any depth and inside errors', () => {
    const { log, text } = captured();
    const fernet = `gAAAA${'x'.repeat(60)}`;
    log.error('login', {
      connection: { data: { auth_password: 'hunter2', secret_uuid: 'kept' }, auth: { secretUuid: 'as well' } },
      headers: { 'X-Auth-Token': 'hunter2' },
      url: 'amqp://nova:hunter2@rabbit/',
      link: 'http://conductor-1:8793/images/kept?host=a&signature=hunter2-and_more',
      error: new Error(`401 for ${fernet}`, { cause: new Error('postgres://u:hunter2@db/x') }),
    });
    expect(text[0]).not.toMatch(/hunter2|and_more|xxxxx/);
    expect(text[0]).toContain('kept');
    expect(text[0]).toContain('as well');
  });

  it('prints values that JSON cannot carry', () => {
    const { log, lines } = captured();
    const cycle: Record<string, unknown> = { size: 2n ** 60n };
    cycle['self'] = cycle;
    log.info('odd', { cycle, when: new Date(0) });
    expect(lines()[0]).toMatchObject({ when: '1970-01-01T00:00:00.000Z', cycle: { size: '1152921504606846976' } });
  });

  it('adds the facts of its context to each line', () => {
    const { log, lines } = captured();
    withFacts(log, { requestId: 'req-1', step: 'a' }).warn('late', { step: 'b' });
    expect(lines()).toMatchObject([{ requestId: 'req-1', step: 'b' }]);
  });
});
