import { describe, expect, it } from '@jest/globals';
import { decodeReply, decodeRequest, encodeReply, encodeRequest, type RpcReply, type RpcRequest } from './envelope.js';

const request: RpcRequest = {
  method: 'ping',
  args: { text: 'grüße \u{1f600} \u0000 \ud800' },
  version: '1.0',
  namespace: 'baseapi',
  uniqueId: 'a'.repeat(32),
  context: { requestId: 'req-1', userId: 'u', projectId: 'p' },
  reply: { msgId: 'b'.repeat(32), queue: 'reply_c', monitorTimeoutS: 4 },
};
const reply: RpcReply = { msgId: 'b', uniqueId: 'c', result: { a: [1, null] }, failure: null, ending: true };

const bare = (message: unknown) => Buffer.from(JSON.stringify(message));
const sealed = (message: unknown, version: unknown = '2.0') =>
  bare({ 'oslo.version': version, 'oslo.message': JSON.stringify(message) });

describe('requests and replies', () => {
  it('are the same after encoding and decoding', () => {
    expect(decodeRequest(encodeRequest(request))).toEqual(request);
    expect(decodeReply(encodeReply(reply))).toEqual(reply);
  });

  it('send all four keys of a reply, a missing result as null', () => {
    const { 'oslo.message': message } = JSON.parse(encodeReply({ ...reply, result: undefined }).toString()) as Record<
      string,
      string
    >;
    expect(JSON.parse(message ?? '')).toEqual({
      result: null,
      failure: null,
      ending: true,
      _msg_id: 'b',
      _unique_id: 'c',
    });
  });

  it('take a message of the time before envelopes as it is', () => {
    expect(decodeRequest(bare({ method: 'ping', args: {} })).method).toBe('ping');
  });

  it('take a request without version as 1.0, without arguments as empty, and ignore unknown keys', () => {
    const decoded = decodeRequest(sealed({ method: 'ping', _context_unknown: 1, else: 2 }));
    expect(decoded).toMatchObject({ version: '1.0', args: {}, uniqueId: null, reply: null });
  });

  it.each([
    ['no JSON', Buffer.from('{')],
    ['a list', bare([])],
    ['null', bare(null)],
    ['bytes that are no UTF-8', Buffer.from([0x7b, 0xff, 0x7d])],
    ['a newer major of the envelope', sealed({ method: 'ping' }, '3.0')],
    ['a newer minor of the envelope', sealed({ method: 'ping' }, '2.1')],
    ['an envelope version that is no text', sealed({ method: 'ping' }, 2)],
    ['a message that is no text', bare({ 'oslo.version': '2.0', 'oslo.message': { method: 'ping' } })],
    ['a message that is no JSON', bare({ 'oslo.version': '2.0', 'oslo.message': '{' })],
    ['no method', sealed({ args: {} })],
    ['an empty method', sealed({ method: '' })],
    ['a method that is no text', sealed({ method: 1 })],
    ['arguments that are a list', sealed({ method: 'ping', args: [] })],
    ['a message id without a reply queue', sealed({ method: 'ping', _msg_id: 'b' })],
    ['a timeout that is no number', sealed({ method: 'ping', _timeout: '4' })],
  ])('refuse %s as a request', (_what, body) => {
    expect(() => decodeRequest(body)).toThrow(expect.objectContaining({ code: 'rpc-message-invalid' }));
  });

  it.each([
    ['no message id', { result: 1, failure: null, ending: true }],
    ['no failure', { _msg_id: 'b', result: 1, ending: true }],
    ['no ending', { _msg_id: 'b', result: 1, failure: null }],
    ['a failure that is no JSON', { _msg_id: 'b', result: null, failure: '{', ending: true }],
    ['a failure without a class', { _msg_id: 'b', result: null, failure: '{"module":"m","message":""}', ending: true }],
  ])('refuse %s in a reply', (_what, message) => {
    expect(() => decodeReply(sealed(message))).toThrow(expect.objectContaining({ code: 'rpc-message-invalid' }));
  });

  it('do not let a key named __proto__ reach a prototype', () => {
    const body = Buffer.from(
      JSON.stringify({
        'oslo.version': '2.0',
        'oslo.message': '{"method":"ping","args":{"__proto__":{"polluted":1}}}',
      }),
    );
    decodeRequest(body);
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
  });
});
