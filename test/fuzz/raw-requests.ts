import type { Chance } from './chance.js';
import type { FuzzRequest } from './requests.js';

/** A request as its bytes on the wire. */
export function rawBytes({ method, url, headers, payload }: FuzzRequest): Buffer {
  const body = payload === undefined ? Buffer.alloc(0) : Buffer.from(payload);
  const all: Record<string, string | string[]> = { host: 'nova.example', connection: 'close', ...headers };
  if (payload !== undefined) all['content-length'] ??= String(body.length);
  const lines = Object.entries(all).flatMap(([name, value]) => [value].flat().map((one) => `${name}: ${one}`));
  const head = `${method} ${url === '' ? '/' : url} HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n`;
  return Buffer.concat([Buffer.from(head, 'latin1'), body]);
}

/** With something lost, doubled, changed or put in between. */
export function spoilt(bytes: Buffer, chance: Chance): Buffer {
  const at = chance.below(bytes.length + 1);
  const to = Math.min(bytes.length, at + 1 + chance.below(20));
  return chance.one<() => Buffer>([
    () => bytes.subarray(0, at),
    () => Buffer.concat([bytes.subarray(0, at), bytes.subarray(to)]),
    () => Buffer.concat([bytes.subarray(0, to), bytes.subarray(at)]),
    () => Buffer.concat([bytes.subarray(0, at), chance.bytes(1 + chance.below(6)), bytes.subarray(at)]),
    () =>
      Buffer.concat([
        bytes.subarray(0, at),
        Buffer.from(chance.one(['\r\n', '\n', '\0', ' ', ':', '\t'])),
        bytes.subarray(at),
      ]),
    () => Buffer.concat([bytes, bytes]),
    () => chance.bytes(1 + chance.below(500)),
    () => Buffer.from(bytes.toString('latin1').replaceAll('\r\n', '\n'), 'latin1'),
    () =>
      Buffer.from(
        bytes.toString('latin1').replace('HTTP/1.1', chance.one(['HTTP/1.0', 'HTTP/2.0', 'HTTP', ''])),
        'latin1',
      ),
  ])();
}
