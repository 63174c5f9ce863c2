import { NovellaError } from '@novella/core';
import { z } from 'zod';
import { type OsloFailure, parseFailure } from './failure.js';
import { versionIsCompatible } from './versions.js';

/**
 * oslo.messaging's frames <-> typed requests and replies; pure.
 * Mirrors oslo.messaging:oslo_messaging/_drivers/common.py (serialize_msg), _drivers/amqp.py (pack_context) and
 * _drivers/amqpdriver.py (_send, _send_reply). Whatever is malformed is rejected with `rpc-message-invalid`.
 */
export const ENVELOPE_VERSION = '2.0';

/** The AMQP properties of every frame; without the content type a Python receiver hands on raw bytes and refuses. */
export const FRAME_PROPERTIES = { contentType: 'application/json', contentEncoding: 'utf-8', headers: {} } as const;

export interface RpcRequest {
  readonly method: string;
  readonly args: Readonly<Record<string, unknown>>;
  /** "major.minor"; a message without one is taken as 1.0. */
  readonly version: string;
  readonly namespace: string | null;
  /** 32 hex digits, new for each message; null when a peer sent none. */
  readonly uniqueId: string | null;
  readonly context: RpcContext;
  /** Where the answer goes; null for a cast. */
  readonly reply: ReplyAddress | null;
}

export interface ReplyAddress {
  readonly msgId: string;
  readonly queue: string;
  /** `_timeout`: the call monitor's, not the call's. With it the caller wants a sign of life at twice that rate. */
  readonly monitorTimeoutS: number | null;
}

/** What we use of Nova's request context; the keys that a Nova receiver cannot do without are always sent. */
export interface RpcContext {
  readonly requestId: string | null;
  readonly userId: string | null;
  readonly projectId: string | null;
}

export interface RpcReply {
  readonly msgId: string;
  readonly uniqueId: string | null;
  readonly result: unknown;
  readonly failure: OsloFailure | null;
  /** False for a sign of life, or the first part of an old peer's two-part answer. */
  readonly ending: boolean;
}

const optionalText = z.string().nullish();
const requestSchema = z.looseObject({
  method: z.string().min(1),
  args: z.record(z.string(), z.unknown()).default({}),
  version: optionalText,
  namespace: optionalText,
  _unique_id: optionalText,
  _msg_id: optionalText,
  _reply_q: optionalText,
  _timeout: z.number().nullish(),
});

const replySchema = z.looseObject({
  _msg_id: z.string(),
  _unique_id: optionalText,
  result: z.unknown(),
  failure: z.string().nullable(),
  ending: z.boolean(),
});

export function encodeRequest(request: RpcRequest): Buffer {
  const { method, args, version, namespace, uniqueId, context, reply } = request;
  return seal({
    method,
    args,
    version,
    ...(namespace === null ? {} : { namespace }),
    ...(reply === null ? {} : { _msg_id: reply.msgId, _reply_q: reply.queue, _timeout: reply.monitorTimeoutS }),
    _unique_id: uniqueId,
    _context_request_id: context.requestId,
    _context_user_id: context.userId,
    _context_project_id: context.projectId,
    _context_is_admin: true,
    _context_roles: [],
    _context_read_deleted: 'no',
    _context_timestamp: null,
  });
}

export function decodeRequest(body: Buffer): RpcRequest {
  const message = check(requestSchema, open(body), 'request');
  const msgId = message._msg_id ?? null;
  const queue = message._reply_q ?? null;
  if (msgId !== null && queue === null) throw invalid('a request that wants a reply names no reply queue');
  return {
    method: message.method,
    args: message.args,
    version: message.version ?? '1.0',
    namespace: message.namespace ?? null,
    uniqueId: message._unique_id ?? null,
    context: {
      requestId: textOrNull(message['_context_request_id']),
      userId: textOrNull(message['_context_user_id']),
      projectId: textOrNull(message['_context_project_id']),
    },
    reply: msgId === null || queue === null ? null : { msgId, queue, monitorTimeoutS: message._timeout ?? null },
  };
}

export function encodeReply(reply: RpcReply): Buffer {
  return seal({
    result: reply.result ?? null,
    failure: reply.failure === null ? null : JSON.stringify(reply.failure),
    ending: reply.ending,
    _msg_id: reply.msgId,
    _unique_id: reply.uniqueId,
  });
}

export function decodeReply(body: Buffer): RpcReply {
  const message = check(replySchema, open(body), 'reply');
  return {
    msgId: message._msg_id,
    uniqueId: message._unique_id ?? null,
    result: message.result,
    failure: message.failure === null ? null : parseFailure(message.failure),
    ending: message.ending,
  };
}

const utf8 = new TextDecoder('utf-8', { fatal: true });

/** The message goes into the envelope as text: JSON within JSON. */
function seal(message: object): Buffer {
  const envelope = { 'oslo.version': ENVELOPE_VERSION, 'oslo.message': JSON.stringify(message) };
  return Buffer.from(JSON.stringify(envelope), 'utf8');
}

/** A body without both of the envelope's keys is a message of the time before envelopes, and taken as it is. */
function open(body: Buffer): unknown {
  const outer = parseJson(decodeUtf8(body), 'the frame');
  if (typeof outer !== 'object' || outer === null) throw invalid('the frame is no JSON object');
  if (!('oslo.version' in outer) || !('oslo.message' in outer)) return outer;
  const { 'oslo.version': version, 'oslo.message': message } = outer;
  if (typeof version !== 'string' || !versionIsCompatible(ENVELOPE_VERSION, version)) {
    throw invalid(`envelope version ${JSON.stringify(version)} is not ${ENVELOPE_VERSION}`);
  }
  if (typeof message !== 'string') throw invalid('oslo.message is no string');
  return parseJson(message, 'oslo.message');
}

function decodeUtf8(body: Buffer): string {
  try {
    return utf8.decode(body);
  } catch (cause) {
    throw invalid('the frame is not UTF-8', cause);
  }
}

function parseJson(text: string, what: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw invalid(`${what} is not JSON`, cause);
  }
}

function check<T>(schema: z.ZodType<T>, message: unknown, what: string): T {
  const parsed = schema.safeParse(message);
  if (!parsed.success) throw invalid(`${what}: ${z.prettifyError(parsed.error)}`);
  return parsed.data;
}

const textOrNull = (value: unknown): string | null => (typeof value === 'string' ? value : null);

const invalid = (message: string, cause?: unknown): NovellaError =>
  new NovellaError('rpc-message-invalid', message, {}, { cause });
