import { describe, expect, it } from '@jest/globals';
import { routedUrl } from './requested-path.js';

describe('routedUrl', () => {
  it.each([
    ['/', '/'],
    ['/?a=1', '/?a=1'],
    ['/health', '/health'],
    ['/health/live', '/health/live'],
    ['/health/ready?verbose', '/health/ready?verbose'],
    ['/health/other', '/choices'],
    ['/openapi.json?a=1', '/openapi.json'],
    ['/openapi.json/', '/choices'],
    ['/v2.1/openapi.json', '/v2.1/openapi.json'],
    ['/v2.1', '/v2.1'],
    ['/v2.1/', '/v2.1'],
    ['/v2/', '/v2'],
    ['/v2.1/servers/detail?limit=1', '/v2.1/servers/detail?limit=1'],
    ['/v2/servers', '/v2.1/servers'],
    ['/v2.1/abc-123/servers?x=/v2.1/', '/v2.1/servers?x=/v2.1/'],
    ['/v2.1/abc-123', '/v2.1/abc-123'],
    ['/v2.1/ABC/servers', '/v2.1/ABC/servers'],
    ['/v2.2/servers', '/choices'],
    ['/servers', '/choices'],
    ['/choices', '/choices'],
    ['http://nova.example:8774/v2.1/abc-123/servers?limit=1', '/v2.1/servers?limit=1'],
    ['HTTPS://nova.example/v2', '/v2'],
    ['http://nova.example/health', '/health'],
    ['http://nova.example', '/'],
    ['http://nova.example?limit=1', '/?limit=1'],
    ['ftp://nova.example/v2.1/servers', '/choices'],
    ['*', '/choices'],
    ['', '/'],
  ])('%s is routed as %s', (url, routed) => {
    expect(routedUrl(url)).toBe(routed);
  });
});
