import { readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import {
  decodeFailure,
  decodeReply,
  decodeRequest,
  encodeReply,
  encodeRequest,
  FRAME_PROPERTIES,
  routeTo,
  routeToReply,
} from '@novella/messaging';
import { z } from 'zod';

/** Frames that oslo.messaging made; README.md tells how. */
const goldenFrame = z.object({
  name: z.string(),
  kind: z.enum(['request', 'reply']),
  context: z.enum(['ours', 'nova']).optional(),
  exchange: z.string(),
  routingKey: z.string(),
  contentType: z.string(),
  contentEncoding: z.string(),
  expirationS: z.number().nullable(),
  body: z.string(),
});
const frames = z
  .array(goldenFrame)
  .parse(JSON.parse(readFileSync(new URL('./golden-frames.json', import.meta.url), 'utf8')));
const ofKind = (kind: 'request' | 'reply') => frames.filter((frame) => frame.kind === kind);

function golden(name: string) {
  const frame = frames.find((each) => each.name === name);
  if (frame === undefined) throw new Error(`no golden frame ${name}`);
  return { ...frame, buffer: Buffer.from(frame.body) };
}

/** Both levels of the envelope as values, so that spaces and the order of keys do not count. */
function unseal(body: Buffer): Record<string, unknown> {
  const envelope = z
    .strictObject({ 'oslo.version': z.string(), 'oslo.message': z.string() })
    .parse(JSON.parse(body.toString()));
  expect(envelope['oslo.version']).toBe('2.0');
  return z.record(z.string(), z.unknown()).parse(JSON.parse(envelope['oslo.message']));
}

describe('frames made by oslo.messaging (rule 6.1)', () => {
  it.each(ofKind('request').filter(({ context }) => context === 'ours'))(
    'request, $name: is the same after decoding and encoding',
    ({ body }) => {
      const encoded = encodeRequest(decodeRequest(Buffer.from(body)));
      expect(unseal(encoded)).toEqual(unseal(Buffer.from(body)));
    },
  );

  it.each(ofKind('reply'))('reply, $name: is the same after decoding and encoding', ({ body }) => {
    const message = unseal(Buffer.from(body));
    const encoded = unseal(encodeReply(decodeReply(Buffer.from(body))));
    const failureOf = ({ failure }: Record<string, unknown>): unknown =>
      typeof failure === 'string' ? JSON.parse(failure) : failure;
    expect({ ...encoded, failure: failureOf(encoded) }).toEqual({ ...message, failure: failureOf(message) });
  });

  it('have the properties that we send', () => {
    for (const { contentType, contentEncoding } of frames) {
      expect({ contentType, contentEncoding }).toEqual({
        contentType: FRAME_PROPERTIES.contentType,
        contentEncoding: FRAME_PROPERTIES.contentEncoding,
      });
    }
  });

  it.each([
    { name: 'cast to a host', route: routeTo({ kind: 'host', topic: 'compute', host: 'host-1' }) },
    { name: 'cast to any server', route: routeTo({ kind: 'any', topic: 'compute' }) },
    { name: 'fanout', route: routeTo({ kind: 'fanout', topic: 'compute' }) },
    { name: 'result', route: routeToReply('reply_00000000000040008000000000000fff') },
  ])('$name: goes where we send it', ({ name, route }) => {
    const { exchange, routingKey } = golden(name);
    expect({ exchange, routingKey }).toEqual(route);
  });

  it('decode to what was sent: a cast', () => {
    expect(decodeRequest(golden('cast to a host').buffer)).toEqual({
      method: 'extend_volume',
      args: { volume: '5a6f2a4e-0f3e-4a6b-9d43-0e8f7a3c1b2d', wantedBytes: 2 ** 40 },
      version: '1.0',
      namespace: null,
      uniqueId: '00000000000040008000000000000001',
      context: { requestId: 'req-3f3d4535-ea4a-4921-8f18-e8632050cb57', userId: null, projectId: null },
      reply: null,
    });
  });

  it('decode to what was sent: a call with a call monitor', () => {
    expect(decodeRequest(golden('call with a call monitor').buffer).reply).toEqual({
      msgId: expect.stringMatching(/^[0-9a-f]{32}$/),
      queue: 'reply_00000000000040008000000000000fff',
      monitorTimeoutS: 4,
    });
  });

  it('decode to what was sent: a namespace', () => {
    expect(decodeRequest(golden('cast with a namespace').buffer).namespace).toBe('compute_task');
  });

  it('decode to what was sent: text beyond ASCII and nested values', () => {
    expect(decodeRequest(golden('cast of text beyond ASCII').buffer).args).toEqual({
      name: 'gr\u00fc\u00dfe \u2603 \u{1f600} "\\\n\u0000',
      nested: { list: [1, 2.5, null, true], empty: {} },
    });
  });

  it("decode to what was sent: Nova's whole context, of which we take three keys", () => {
    const request = decodeRequest(golden('cast with the whole context of Nova').buffer);
    expect(request.context).toEqual({
      requestId: 'req-4286a73e-e533-48a0-a854-07dc110635e8',
      userId: 'u1',
      projectId: 'p1',
    });
    expect([request.version, request.args]).toEqual(['6.0', { instances: [], events: [] }]);
  });

  it.each([
    { name: 'result', result: { host: 'host-1', uptimeS: 12.5 }, ending: true },
    { name: 'null result', result: null, ending: true },
    { name: 'false as the result', result: false, ending: true },
    { name: 'sign of life', result: null, ending: false },
  ])('decode to what was answered: $name', ({ name, result, ending }) => {
    expect(decodeReply(golden(name).buffer)).toMatchObject({ result, ending, failure: null });
  });

  it.each([
    {
      name: 'failure of Nova',
      code: 'rpc-remote-failure',
      facts: { remoteModule: 'nova.exception', remoteClass: 'VolumeNotFound' },
    },
    {
      name: 'failure of Python',
      code: 'rpc-remote-failure',
      facts: { remoteModule: 'builtins', remoteClass: 'ValueError' },
    },
    { name: 'no such method', code: 'rpc-message-invalid', facts: { remoteClass: 'NoSuchMethod' } },
    { name: 'unsupported version', code: 'rpc-message-invalid', facts: { remoteClass: 'UnsupportedVersion' } },
  ])('$name: becomes $code', ({ name, code, facts }) => {
    const { failure } = decodeReply(golden(name).buffer);
    expect(failure === null ? null : decodeFailure(failure)).toMatchObject({ code, facts });
  });
});
