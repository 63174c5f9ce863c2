import type { Chance } from './chance.js';
import { oddText } from './odd-values.js';

/** What is odd about a request but for its body. Header values are such as Node lets through. */
export type Headers = Record<string, string | string[]>;

const KNOWN_HEADERS: readonly string[] = [
  'accept',
  'accept-encoding',
  'accept-language',
  'authorization',
  'cache-control',
  'connection',
  'content-encoding',
  'content-language',
  'content-range',
  'cookie',
  'expect',
  'forwarded',
  'host',
  'if-match',
  'if-modified-since',
  'if-none-match',
  'if-unmodified-since',
  'max-forwards',
  'openstack-api-version',
  'openstack-system-scope',
  'origin',
  'range',
  'referer',
  'te',
  'trailer',
  'upgrade',
  'user-agent',
  'via',
  'x-auth-project-id',
  'x-auth-token',
  'x-auth-user',
  'x-forwarded-for',
  'x-forwarded-host',
  'x-forwarded-prefix',
  'x-forwarded-proto',
  'x-http-method-override',
  'x-identity-status',
  'x-is-admin',
  'x-openstack-nova-api-version',
  'x-openstack-request-id',
  'x-project-id',
  'x-request-id',
  'x-roles',
  'x-service-token',
  'x-storage-token',
  'x-user-id',
];
const HEADER_VALUES: readonly string[] = [
  '',
  ' ',
  ',',
  ',,,',
  ';',
  '*',
  '*/*',
  'text/html',
  'application/json;q=0.1',
  'gzip, deflate, br',
  'chunked',
  'keep-alive, upgrade',
  '100-continue',
  'h2c',
  'websocket',
  'bytes=0-',
  'compute 2.1, compute 2.96',
  'compute latest, volume 3.44',
  'compute',
  'compute 2.1.1',
  'compute 2.9999999999999999999',
  'volume 3.0',
  '2.96',
  'latest',
  'None',
  'nobody',
  ':',
  '::',
  'admin',
  'admin:',
  ':admin',
  'http://192.0.2.1:1/',
  'a.example, b.example',
  'evil.example"><script>',
  'evil.example/../..',
  'req-11111111-2222-4333-8444-555555555555',
  'req-',
  '\u00e9\u00ff',
  'x'.repeat(8_000),
  '9'.repeat(300),
];
export const CONTENT_TYPES: readonly string[] = [
  'application/json',
  'application/json; charset=utf-16',
  'application/json;charset=UTF-8;',
  'APPLICATION/JSON',
  'application/vnd.openstack.compute+json',
  'application/vnd.openstack.compute+json;version=2.1',
  'application/vnd.openstack.compute+xml',
  'application/xml',
  'application/x-www-form-urlencoded',
  'application/x-msgpack',
  'multipart/form-data',
  'multipart/form-data; boundary=x',
  'text/plain',
  'text/html',
  'application/',
  '/json',
  'json',
  ';',
  '',
  ' ',
  ', application/json',
  'application/json, text/plain',
  '*/*',
];
export const VERSIONS: readonly string[] = [
  '2.0',
  '2.97',
  '2.999',
  '3.1',
  '1.1',
  '0.0',
  '2',
  '2.',
  '.1',
  '2.01',
  '2.1 ',
  '-2.1',
  '2.-1',
  '2.1.1',
  '2.１',
  'latest',
  'LATEST',
  '',
  ' ',
  '2.18446744073709551617',
  `2.${'9'.repeat(300)}`,
].map((version) => Buffer.from(version).toString('latin1'));
export const METHODS: readonly string[] = [
  'GET',
  'HEAD',
  'POST',
  'PUT',
  'PATCH',
  'DELETE',
  'OPTIONS',
  'TRACE',
  'SEARCH',
  'PROPFIND',
  'LOCK',
  'MKCOL',
  'QUERY',
  'PURGE',
  'M-SEARCH',
];
const BAD_ESCAPES = ['%', '%0', '%zz', '%ff', '%c0%ae', '%ed%a0%80', '%00', '%0d%0a', '%2f', '%2e%2e', '%25', '%u0041'];
const PATH_PARTS = [
  '..',
  '.',
  '',
  ';a=b',
  ';',
  '~',
  '*',
  '?',
  '#',
  '&',
  '=',
  '+',
  ' ',
  '\\',
  '|',
  '<',
  '"',
  '@',
  ':',
  '$',
];

export function oddHeader(headers: Headers, chance: Chance): void {
  const value = (): string => (chance.yes(0.8) ? chance.one(HEADER_VALUES) : printable(chance));
  const name = chance.yes(0.9) ? chance.one(KNOWN_HEADERS) : `x-${chance.below(1e6)}`;
  headers[name] = chance.yes(0.1) ? [value(), value()] : value();
  if (chance.yes(0.03)) for (let more = 0; more < 500; more += 1) headers[`x-more-${more}`] = 'x';
}

const printable = (chance: Chance): string =>
  chance
    .bytes(1 + chance.below(60))
    .toString('latin1')
    .replaceAll(/[^\x20-\x7e\xa0-\xff]/g, '')
    .trim();

/** An id, name or key in a path, of whatever form. */
export function oddSegment(chance: Chance, words: readonly string[]): string {
  return chance.weighed<() => string>([
    [5, () => encodeURIComponent(wellFormed(oddText(chance, words)).slice(0, 5000))],
    [2, () => chance.one(BAD_ESCAPES)],
    [2, () => chance.one(PATH_PARTS)],
    [1, () => `${chance.below(1e9)}${chance.one(PATH_PARTS)}${chance.one(BAD_ESCAPES)}`],
    [1, () => 'x'.repeat(chance.one([100, 255, 256, 3000, 16_000]))],
  ])();
}

/** The whole path changed in one place. */
export function oddPath(path: string, chance: Chance): string {
  const parts = path.split('/');
  const at = chance.below(parts.length);
  return chance.one<() => string>([
    () => `/${path}`,
    () => path.replaceAll('/', '//'),
    () => `${path}/`,
    () => `${path}/..`,
    () => `${path};jsessionid=1`,
    () => `${path}%00`,
    () => `${path}.json`,
    () => path.toUpperCase(),
    () => path.replace('/v2.1', chance.one(['/v2', '/v2.0', '/v3', '', '/V2.1', '/v2.1/v2.1', '/v2.10', '/./v2.1'])),
    () =>
      path.replace('/v2.1/', `/v2.1/${chance.one(['aaaabbbbccccdddd0000111122223333', '0', '-', 'f'.repeat(9000)])}/`),
    () => [...parts.slice(0, at), chance.one([...BAD_ESCAPES, ...PATH_PARTS]), ...parts.slice(at)].join('/'),
    () => [...parts.slice(0, at), `${parts[at] ?? ''}${chance.one(BAD_ESCAPES)}`, ...parts.slice(at + 1)].join('/'),
    () => parts.slice(0, -1).join('/'),
    () => encodeURIComponent(path),
    () => `${path}/${parts.at(-1) ?? ''}`,
    () => '/',
    () => '*',
  ])();
}

export function oddQuery(chance: Chance, words: readonly string[]): string {
  const name = (): string =>
    encodeURIComponent(wellFormed(chance.yes(0.7) ? chance.one(words) : oddText(chance, words)));
  const value = (): string =>
    chance.yes(0.2)
      ? chance.one([...BAD_ESCAPES, ...PATH_PARTS])
      : encodeURIComponent(wellFormed(oddText(chance, words)).slice(0, 3000));
  const pairs = Array.from({ length: chance.one([1, 1, 2, 5, 200]) }, () =>
    chance.one([() => `${name()}=${value()}`, () => name(), () => `=${value()}`, () => `${name()}[]=1`, () => '&'])(),
  );
  return pairs.join(chance.yes(0.9) ? '&' : ';').slice(0, 12_000);
}

/** What encodeURIComponent takes. */
const wellFormed = (text: string): string => text.replaceAll(/\p{Surrogate}/gu, '\ufffd');
