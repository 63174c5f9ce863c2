import { mkdirSync, renameSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { type Clock, millis, type Log } from '@novella/core';
import { temporaryDirectory, type TemporaryDirectory } from '@novella/testing';
import { Policy, type PolicyOptions } from './policy.js';
import { PolicyError } from './policy-file.js';
import type { PolicyPaths } from './policy-files.js';

const DEFAULTS = {
  admin: { check: 'role:admin', scopes: null },
  read: { check: 'role:reader', scopes: null },
} as const;
type Name = keyof typeof DEFAULTS;

/** Moved by the test; by its time of day all files are old, unless the test says otherwise. */
function movedClock(): Clock & { pass(ms: number): void; timeOfDay: Date } {
  let passed = 0;
  return {
    timeOfDay: new Date('2100-01-01T00:00:00Z'),
    monotonic: () => millis(passed),
    wallTime() {
      return this.timeOfDay;
    },
    sleep: () => Promise.resolve(),
    pass: (ms) => void (passed += ms),
  };
}

describe('the policy of a process', () => {
  let directory: TemporaryDirectory;
  let clock: ReturnType<typeof movedClock>;
  let said: [level: string, message: string, facts: Readonly<Record<string, unknown>> | undefined][];
  const path = (name: string) => join(directory.path, name);
  const write = (name: string, text: string) => writeFileSync(path(name), text);

  beforeEach(async () => {
    directory = await temporaryDirectory();
    clock = movedClock();
    said = [];
  });
  afterEach(() => directory.remove());

  const log: Log = {
    debug: (message, facts) => said.push(['debug', message, facts]),
    info: (message, facts) => said.push(['info', message, facts]),
    warn: (message, facts) => said.push(['warn', message, facts]),
    error: (message, facts) => said.push(['error', message, facts]),
  };
  const open = (options: Partial<PolicyOptions<Name>> = {}, isRequired = false): Policy<Name> => {
    const paths: PolicyPaths = {
      file: { path: path('policy.yaml'), isRequired },
      dirs: [{ path: path('policy.d'), isRequired }],
    };
    return new Policy<Name>(
      { defaults: DEFAULTS, paths, enforceNewDefaults: true, neverRemote: ['admin'], ...options },
      { clock, log },
    );
  };
  const mayRead = (policy: Policy<Name>, role: string) => policy.rules().decideHere('read', {}, { roles: [role] });
  const faultsOf = (work: () => unknown) => {
    try {
      work();
    } catch (error) {
      if (error instanceof PolicyError) return error.faults.map(({ path: file, line }) => [file, line]);
      throw error;
    }
    return [];
  };
  const errors = () => said.filter(([level]) => level === 'error');

  it('is the defaults where there are no files', () => {
    const policy = open();
    expect(mayRead(policy, 'reader')).toBe(true);
    expect(mayRead(policy, 'other')).toBe(false);
    expect(policy.trouble()).toBeNull();
  });

  it('is the file, then the files of the directories by name', () => {
    mkdirSync(path('policy.d/inner'), { recursive: true });
    write('policy.yaml', 'read: role:file\n');
    expect(mayRead(open(), 'file')).toBe(true);
    write('policy.d/20.yaml', 'read: role:twenty\n');
    write('policy.d/10.yaml', 'read: role:ten\n');
    write('policy.d/.30.yaml.swp', 'read: (((\n');
    write('policy.d/inner/40.yaml', 'read: role:inner\n');
    expect(mayRead(open(), 'twenty')).toBe(true);
  });

  it('does not begin with files that were named and are not there', () => {
    expect(faultsOf(() => open({}, true))).toEqual([
      [path('policy.yaml'), null],
      [path('policy.d'), null],
    ]);
  });

  it('does not begin with files that are wrong, and names each line', () => {
    mkdirSync(path('policy.d'));
    write('policy.yaml', 'admin: role:x\nread: role:x and\n');
    write('policy.d/a.yaml', 'read:\n');
    expect(faultsOf(() => open())).toEqual([
      [path('policy.yaml'), 2],
      [path('policy.d/a.yaml'), 1],
    ]);
  });

  it('does not begin with rules that lead back to themselves', () => {
    write('policy.yaml', 'other: rule:read\nread: role:x or not (rule:other)\n');
    expect(faultsOf(() => open())).toEqual([[path('policy.yaml'), 1]]);
    write('policy.yaml', 'default: rule:nowhere\n');
    expect(faultsOf(() => open())).toEqual([[path('policy.yaml'), 1]]);
  });

  it('does not begin with another server deciding what cannot wait for it', () => {
    write('policy.yaml', 'far: "http://policy"\nread: rule:far\nadmin: role:admin or rule:far\n');
    expect(faultsOf(() => open())).toEqual([[path('policy.yaml'), 3]]);
  });

  it('warns of rules that nothing asks for, and of references that lead nowhere', () => {
    write('policy.yaml', 'default: "!"\nread: rule:reader\nreda: "!"\n');
    open();
    expect(said.filter(([level]) => level === 'warn').map(([, , facts]) => facts)).toEqual([
      { unknown: ['reader'] },
      { unused: ['reda'] },
    ]);
  });

  it('follows a file that changes, a second later at the latest', () => {
    write('policy.yaml', 'read: role:one\n');
    const policy = open();
    write('policy.yaml', 'read: role:two\n');
    expect(mayRead(policy, 'one')).toBe(true);
    clock.pass(1000);
    expect(mayRead(policy, 'two')).toBe(true);
    expect(mayRead(policy, 'one')).toBe(false);
  });

  it('follows a change that keeps length and time of the file', () => {
    write('policy.yaml', 'read: role:one\n');
    utimesSync(path('policy.yaml'), 1, 1);
    const policy = open();
    write('policy.yaml', 'read: role:two\n');
    utimesSync(path('policy.yaml'), 1, 1);
    clock.pass(1000);
    expect(mayRead(policy, 'two')).toBe(true);
  });

  it('follows files that come and go', () => {
    const policy = open();
    mkdirSync(path('policy.d'));
    write('policy.d/a.yaml', 'read: role:two\n');
    clock.pass(1000);
    expect(mayRead(policy, 'two')).toBe(true);
    rmSync(path('policy.d/a.yaml'));
    clock.pass(1000);
    expect(mayRead(policy, 'reader')).toBe(true);
  });

  it('does not read what was written this moment: it may be half of it', () => {
    write('policy.yaml', 'read: role:one\n');
    const policy = open();
    write('policy.yaml', 'read: role:two\n');
    const written = statSync(path('policy.yaml')).ctimeMs;
    clock.timeOfDay = new Date(written + 900);
    clock.pass(1000);
    expect(mayRead(policy, 'one')).toBe(true);
    clock.timeOfDay = new Date(written + 1900);
    clock.pass(1000);
    expect(mayRead(policy, 'two')).toBe(true);
  });

  it('looks once a second, however often it is asked', () => {
    const policy = open();
    write('policy.yaml', 'read: role:two\n');
    clock.pass(999);
    expect(mayRead(policy, 'two')).toBe(false);
    clock.pass(1);
    expect(mayRead(policy, 'two')).toBe(true);
  });

  it('stays as it was where the file becomes wrong, and says so until it is right', () => {
    write('policy.yaml', 'read: role:one\n');
    const policy = open();
    write('policy.yaml', 'admin: "!"\nread: role:two and\n');
    for (let look = 0; look < 3; look += 1) {
      clock.pass(1000);
      expect(mayRead(policy, 'one')).toBe(true);
      expect(policy.trouble()).toContain(`${path('policy.yaml')}:2`);
    }
    expect(errors()).toHaveLength(1);
    write('policy.yaml', 'read: role:two\n');
    clock.pass(1000);
    expect(mayRead(policy, 'two')).toBe(true);
    expect(policy.trouble()).toBeNull();
  });

  it('does not fall back to the defaults where the file goes', () => {
    write('policy.yaml', 'read: role:one\n');
    const policy = open();
    renameSync(path('policy.yaml'), path('elsewhere'));
    clock.pass(1000);
    expect(mayRead(policy, 'reader')).toBe(false);
    expect(policy.trouble()).toContain(path('policy.yaml'));
    renameSync(path('elsewhere'), path('policy.yaml'));
    clock.pass(1000);
    expect(policy.trouble()).toBeNull();
    expect(mayRead(policy, 'one')).toBe(true);
  });

  it('keeps what a request has begun with', () => {
    write('policy.yaml', 'read: role:one\n');
    const policy = open();
    const rules = policy.rules();
    write('policy.yaml', 'read: role:two\n');
    clock.pass(1000);
    expect(mayRead(policy, 'two')).toBe(true);
    expect(rules.decideHere('read', {}, { roles: ['one'] })).toBe(true);
  });
});
