import { expect, it } from '@jest/globals';
import { type HostName, minutes, type OperationId, seconds } from '@novella/core';
import { virtualClock } from '@novella/testing';
import { ImageLinks } from './image-links.js';

const IMAGE = '11111111-2222-4333-8444-555555555555';
const OTHER = '11111111-2222-4333-8444-666666666666';
const to = { image: IMAGE, host: 'compute-1' as HostName, operation: OTHER as OperationId };
const clock = virtualClock();
const linksWith = (key: string, url = 'http://conductor-1:8793') =>
  new ImageLinks({ url, key: Buffer.from(key), lifetime: minutes(10), clock });
const links = linksWith('k'.repeat(32));
const path = (link: string): string => link.replace('http://conductor-1:8793', '');
const link = path(links.link(to));

it('a link names its image, host, operation and end, and is read back', () => {
  expect(link).toMatch(
    new RegExp(`^/images/${IMAGE}\\?host=compute-1&operation=${OTHER}&expires=\\d+&signature=[\\w-]{43}$`),
  );
  expect(links.read(link)).toEqual(to);
});

it('is read by another conductor with the same key, and by none with another', () => {
  expect(linksWith('k'.repeat(32), 'http://conductor-2').read(link)).toEqual(to);
  expect(linksWith('l'.repeat(32)).read(link)).toBe('forged');
});

it.each([
  ['image', link.replace(IMAGE, OTHER)],
  ['host', link.replace('compute-1', 'compute-2')],
  ['operation', link.replace(`operation=${OTHER}`, `operation=${IMAGE}`)],
  ['end', link.replace(/expires=\d/, 'expires=9')],
  ['signature', link.replace(/.$/, (last) => (last === 'A' ? 'B' : 'A')).replace(/signature=./, 'signature=_')],
  ['signature, which is cut', link.slice(0, -2)],
  ['signature, which is none', link.replace(/signature=.*/, 'signature=')],
])('is forged with another %s', (_what, changed) => {
  expect(links.read(changed)).toBe('forged');
});

it.each([
  ['nothing', ''],
  ['no image', link.replace(IMAGE, 'cirros')],
  ['a path in the place of an image', link.replace(IMAGE, '..%2f..')],
  ['another path', link.replace('/images/', '/images/x/')],
  ['a whole URL', links.link(to)],
  ['no query', `/images/${IMAGE}`],
  ['no signature', link.replace(/&signature=.*/, '')],
  ['a part that is there twice', `${link}&host=compute-2`],
  ['a part that nobody knows', `${link}&file=x`],
  ['a host that is none', link.replace('compute-1', 'a%0Ab')],
  ['an operation that is none', link.replace(`operation=${OTHER}`, 'operation=1')],
  ['an end that is no time', link.replace(/expires=\d+/, 'expires=1e9')],
  ['an end that is below zero', link.replace(/expires=/, 'expires=-')],
])('is malformed with %s', (_what, changed) => {
  expect(links.read(changed)).toBe('malformed');
});

it('may be used to its end and not longer, also with a clock between two seconds', async () => {
  await clock.advance(seconds(0.5));
  const late = path(links.link(to));
  await clock.advance(minutes(10));
  expect(links.read(late)).toEqual(to);
  await clock.advance(seconds(1));
  expect(links.read(late)).toBe('expired');
});
