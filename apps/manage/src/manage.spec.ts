import 'reflect-metadata';
import { describe, expect, it } from '@jest/globals';
import { durationOf, secondsOf, table, UsageError } from './command.js';
import { COMMANDS, manage } from './manage.js';

/** Nothing listens there. */
const NOWHERE = { NOVELLA_DATABASE_URL: 'postgres://nova:hunter2@127.0.0.1:1/nova' };

describe('novella-manage', () => {
  it.each([[[]], [['help']], [['migrate', '--help']]])('%j prints every command and ends with 0', async (argv) => {
    const { stdout, code } = await manage(argv, {});
    expect(code).toBe(0);
    for (const { usage } of COMMANDS) expect(stdout).toContain(usage);
  });

  it.each([
    [['hosts']],
    [['host']],
    [['host', 'ping']],
    [['host', 'ping', 'a', 'b']],
    [['host', 'ping', '../etc']],
    [['host', 'ping', 'a', '--timeout', 'soon']],
    [['host', 'list', 'all']],
    [['migrate', '--wait']],
    [['migrate', '--wait', '-1']],
    [['migrate', '--force']],
    [['operation', 'show', 'first']],
    [['operation', 'list', '--server', 'first']],
    [['operation', 'list', '--limit', '0']],
    [['operation', 'list', '--state', 'lost']],
    [['operation', 'list', '--waiting-for', 'godot']],
    [['operation', 'list', '--kind', 'resize']],
    [['operation', 'list', '--host', '../etc']],
    [['operation', 'list', '--older-than', 'yesterday']],
    [['operation', 'list', '--stuck', '--open']],
  ])('%j ends with 2 and says how it is called', async (argv) => {
    const env = { ...NOWHERE, NOVELLA_BROKER_URLS: 'amqp://127.0.0.1:1' };
    const { stdout, stderr, code } = await manage(argv, env);
    expect([code, stdout]).toEqual([2, '']);
    expect(stderr).toContain('novella-manage');
  });

  it.each([
    [['migrate'], 'NOVELLA_DATABASE_URL'],
    [['operation', 'list'], 'NOVELLA_DATABASE_URL'],
    [['host', 'ping', 'a'], 'NOVELLA_BROKER_URLS'],
  ])('%j ends with 2 without %s', async (argv, key) => {
    const { stderr, code } = await manage(argv, {});
    expect(code).toBe(2);
    expect(stderr).toContain(key);
  });

  it('ends with 1 and the code when the database is away, and shows no password', async () => {
    const { stdout, stderr, code } = await manage(['host', 'list', '--json'], NOWHERE);
    expect(code).toBe(1);
    expect(JSON.parse(stdout)).toMatchObject({ error: { code: 'database-unreachable' } });
    expect(stderr).toContain('database-unreachable');
    expect(stdout + stderr).not.toContain('hunter2');
  });

  it('waits for the database no longer than it was told', async () => {
    expect(await manage(['migrate', '--wait', '0.3'], NOWHERE)).toMatchObject({ code: 1, stdout: '' });
  });
});

describe('secondsOf', () => {
  it.each<[string | undefined, number]>([
    [undefined, 7],
    ['0', 0],
    ['2.5', 2.5],
  ])('of %s is %d', (given, seconds) => {
    expect(secondsOf('wait', given, 7)).toBe(seconds);
  });

  it.each(['', '-1', '1e3', '86401', 'NaN'])('refuses %j', (given) => {
    expect(() => secondsOf('wait', given, 7)).toThrow(UsageError);
  });
});

describe('durationOf', () => {
  it.each<[string | undefined, number | undefined]>([
    [undefined, undefined],
    ['90', 90_000],
    ['90s', 90_000],
    ['10m', 600_000],
    ['2h', 7_200_000],
    ['1d', 86_400_000],
  ])('of %s is %d ms', (given, duration) => {
    expect(durationOf('older-than', given)).toBe(duration);
  });

  it.each(['', '-1', '1.5h', '1w', '10 m'])('refuses %j', (given) => {
    expect(() => durationOf('older-than', given)).toThrow(UsageError);
  });
});

describe('table', () => {
  it('makes columns as wide as their widest cell', () => {
    expect(
      table(
        ['A', 'LONG'],
        [
          ['wide', 'b'],
          ['c', 'd'],
        ],
      ),
    ).toBe('A     LONG\nwide  b\nc     d');
  });
});
