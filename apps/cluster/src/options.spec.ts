import { describe, expect, it } from '@jest/globals';
import { defaultState, parseOptions, usage } from './options.js';

const user = { isRoot: false, stateHome: '/home/a/.state' };
const root = { isRoot: true, stateHome: undefined };
const parse = (...words: string[]) => parseOptions(words, user);
const options = (...words: string[]) => {
  const parsed = parse(...words);
  if (parsed.kind !== 'run') throw new Error(`not to run: ${JSON.stringify(parsed)}`);
  return parsed.options;
};

describe('the options of the cluster', () => {
  it('are three real hosts and two conductors on the usual port when nothing is said', () => {
    expect(options()).toEqual({
      computes: 3,
      conductors: 2,
      driver: 'libvirt',
      domainType: 'qemu',
      port: 8774,
      cinder: null,
      keystone: null,
      state: '/home/a/.state/novella/cluster',
      fresh: false,
      logLevel: 'info',
    });
  });

  it('are those that were said', () => {
    expect(
      options('--computes=16', '--conductors', '1', '--driver', 'fake', '--port', '0', '--fresh', '--state', '/srv/c'),
    ).toMatchObject({ computes: 16, conductors: 1, driver: 'fake', port: 0, fresh: true, state: '/srv/c' });
  });

  it('may name another Cinder with the folders of its volumes', () => {
    const said = ['--cinder', 'http://cinder:8776/v3/', '--volume-roots', '/var/lib/cinder,/dev'];
    expect(options(...said).cinder).toEqual({ url: 'http://cinder:8776/v3', volumeRoots: ['/var/lib/cinder', '/dev'] });
  });

  it('may name a Keystone, beside a Cinder that knows it', () => {
    const said = ['--cinder', 'http://cinder:8776/v3', '--volume-roots', '/dev', '--keystone', 'http://ks:5000/v3'];
    expect(options(...said, '--keystone-password-file', '/etc/nova.password').keystone).toEqual({
      url: 'http://ks:5000/v3',
      username: 'nova',
      project: 'service',
      passwordFile: '/etc/nova.password',
    });
  });

  it.each([
    ['an unknown option', ['--compute', '3'], 1],
    ['a word that belongs to no option', ['3'], 1],
    ['an option without its value', ['--computes'], 1],
    ['no host', ['--computes', '0'], 1],
    ['too many hosts', ['--computes', '17'], 1],
    ['half a host', ['--computes', '1.5'], 1],
    ['a port that is none', ['--port', '65534'], 1],
    ['an unknown driver', ['--driver', 'xen'], 1],
    ['a Keystone without a Cinder', ['--keystone', 'http://ks:5000/v3', '--keystone-password-file', '/p'], 1],
    ['a Keystone without a Cinder, a URL and a password', ['--keystone', 'ks'], 3],
    ['a user without a Keystone', ['--keystone-user', 'nova'], 1],
    ['a Cinder without the folders of its volumes', ['--cinder', 'http://127.0.0.1:8776/v3'], 1],
    ['a Cinder that is no URL', ['--cinder', 'cinder', '--volume-roots', '/dev'], 1],
    ['folders of volumes without a Cinder', ['--volume-roots', '/dev'], 1],
    ['a folder of volumes that is relative', ['--cinder', 'http://c/v3', '--volume-roots', 'files'], 1],
    ['a state folder whose sockets would have too long a path', ['--state', `/${'x'.repeat(80)}`], 1],
    ['an empty state folder', ['--state', ''], 1],
    ['several faults at once', ['--computes', 'x', '--driver', 'x', '--log-level', 'x'], 3],
  ])('refuse %s', (_what, words, faults) => {
    const parsed = parse(...words);
    expect(parsed.kind === 'wrong' && parsed.faults.length).toBe(faults);
  });

  it('show help before anything else', () => {
    expect(parse('--help', '--computes', '99')).toEqual({ kind: 'help' });
    expect(usage(root)).toContain('/var/lib/novella/cluster');
  });
});

it("the state folder is the system's for root, and else the user's", () => {
  expect(defaultState(root)).toBe('/var/lib/novella/cluster');
  expect(defaultState(user)).toBe('/home/a/.state/novella/cluster');
});
