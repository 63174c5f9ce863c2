import { describe, expect, it } from '@jest/globals';
import { isAllowed, pathMatches } from './access-rules.js';

describe('the path of an access rule', () => {
  it.each([
    ['/v2.1/servers', '/v2.1/servers', true],
    ['/v2.1/servers', '/v2.1/servers/1', false],
    ['/v2.1/servers', '/v2x1/servers', false],
    ['/v2.1/servers/*', '/v2.1/servers/1', true],
    ['/v2.1/servers/*', '/v2.1/servers/', false],
    ['/v2.1/servers/*', '/v2.1/servers/1/action', false],
    ['/v2.1/*/detail', '/v2.1/servers/detail', true],
    ['/v2.1/servers/{server_id}', '/v2.1/servers/1', true],
    ['/v2.1/servers/{server_id}/action', '/v2.1/servers/1/action', true],
    ['/v2.1/servers/{server_id}/action', '/v2.1/servers/1/2/action', false],
    ['/v2.1/servers/**', '/v2.1/servers/1/os-volume_attachments/2', true],
    ['/v2.1/servers/**', '/v2.1/servers', false],
    ['**', '/anything/at/all', true],
    ['/v2.1/**/2', '/v2.1/a/b/2', true],
    ['/v2.1/(a|b)', '/v2.1/a', false],
    ['/v2.1/(a|b)', '/v2.1/(a|b)', true],
    ['/v2.1/servers', '/v2.1/servers\n', false],
    ['', '', true],
  ])('%s and %s: %s', (pattern, path, matches) => {
    expect(pathMatches(path, pattern)).toBe(matches);
  });
});

describe('access rules', () => {
  const rules = [
    { service: 'compute', method: 'GET', path: '/v2.1/servers' },
    { service: 'image', method: 'POST', path: '/v2.1/servers' },
  ];
  it.each([
    ['GET', '/v2.1/servers', true],
    ['POST', '/v2.1/servers', false],
    ['HEAD', '/v2.1/servers', false],
    ['GET', '/v2.1/flavors', false],
  ])('%s %s: %s', (method, path, allowed) => {
    expect(isAllowed(rules, 'compute', { method, path })).toBe(allowed);
  });

  it('allow nothing when there are none', () => {
    expect(isAllowed([], 'compute', { method: 'GET', path: '/v2.1/servers' })).toBe(false);
  });
});
