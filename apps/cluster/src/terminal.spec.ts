import { describe, expect, it } from '@jest/globals';
import { readable, Terminal } from './terminal.js';

describe('the terminal', () => {
  const lines = (colour: boolean, use: (terminal: Terminal) => void): string[] => {
    const said: string[] = [];
    use(new Terminal((text) => said.push(text), { names: ['nova-api', 'compute-12'], colour }));
    return said;
  };

  it("puts the name before each line, as wide as the longest, and splits the cluster's own words", () => {
    const said = lines(false, (terminal) => {
      terminal.line('nova-api', 'serving');
      terminal.say('one\ntwo');
    });
    expect(said).toEqual(['nova-api   | serving\n', 'cluster    | one\n', 'cluster    | two\n']);
  });

  it('writes no escape sequence where there is no colour, and gives each name one where there is', () => {
    const use = (terminal: Terminal) => {
      terminal.line('nova-api', 'a');
      terminal.alarm('b');
    };
    expect(lines(false, use).join('')).not.toContain('\u001b');
    expect(lines(true, use)[0]).toBe('\u001b[36mnova-api   |\u001b[0m a\n');
  });
});

describe('a line of a log', () => {
  const entry = (facts: object) => JSON.stringify({ level: 'info', time: '2026-01-02T03:04:05.006Z', ...facts });
  const afterTime = (line: string) => readable(line).replace(/^\d\d:\d\d:05\.006 /, '');

  it('is its message and its facts, without what the name in front says', () => {
    const line = entry({
      pid: 7,
      name: 'novella',
      host: 'compute-1',
      count: 3,
      msg: 'serving',
      api: 'http://a:1/v2.1',
    });
    expect(afterTime(line)).toBe('serving host=compute-1 count=3 api=http://a:1/v2.1');
  });

  it('shows its level when it is a warning or an error, and an error without its stack', () => {
    const error = { name: 'NovellaError', message: 'no answer', stack: 'at x' };
    expect(afterTime(entry({ level: 'error', msg: 'failed', error }))).toBe(
      'ERROR failed error={"name":"NovellaError","message":"no answer"}',
    );
  });

  it('quotes a value with blanks and cuts a long one', () => {
    expect(afterTime(entry({ msg: 'm', why: 'a b' }))).toBe('m why="a b"');
    expect(afterTime(entry({ msg: 'm', all: Array(400).fill(1) }))).toHaveLength('m all='.length + 303);
  });

  it.each(['', 'plain words', '{ torn', '{"level":"info"}', '{"msg":3,"level":"info"}', 'null', '[1]'])(
    'that is no entry stays as it is: %j',
    (line) => expect(readable(line)).toBe(line),
  );
});
