import { type ErrorFacts, ERRORS, isErrorCode, NovellaError, toErrorRecord } from '@novella/core';
import { z } from 'zod';

/**
 * Errors as oslo.messaging sends them in a reply, both ways by allow-list: nothing is ever looked up or built by a name
 * that a peer chose. Mirrors oslo.messaging:oslo_messaging/_drivers/common.py::serialize_remote_exception.
 */
export interface OsloFailure {
  readonly class: string;
  readonly module: string;
  readonly message: string;
  readonly tb: readonly string[];
  readonly args: readonly unknown[];
  readonly kwargs: Readonly<Record<string, unknown>>;
}

const OURS = { class: 'NovellaError', module: 'novella.errors' } as const;
/** What a server answers when it has no such method or version; a Python peer knows these by name. */
const DISPATCH_MODULE = 'oslo_messaging.rpc.dispatcher';

const osloFailure = z.object({
  class: z.string(),
  module: z.string(),
  message: z.string(),
  tb: z.array(z.string()).default([]),
  args: z.array(z.unknown()).default([]),
  kwargs: z.record(z.string(), z.unknown()).default({}),
});

const ourKwargs = z.object({
  code: z.string().refine(isErrorCode),
  grade: z.enum(['unsure', 'infeasible', 'final']),
  facts: z.record(z.string(), z.union([z.string(), z.number(), z.boolean(), z.null()])),
});

/** What is thrown by a handler, without its stack: a peer gets the code, the text and the facts. */
export function encodeFailure(thrown: unknown): OsloFailure {
  const { code, grade, message, facts } = toErrorRecord(thrown);
  return { ...OURS, message, tb: [], args: [message], kwargs: { code, grade, facts } };
}

export function noSuchMethod(method: string): OsloFailure {
  const message = `Endpoint does not support RPC method ${method}`;
  return { class: 'NoSuchMethod', module: DISPATCH_MODULE, message, tb: [], args: [message], kwargs: {} };
}

export function unsupportedVersion(version: string, method: string): OsloFailure {
  const message = `Endpoint does not support RPC version ${version}. Attempted method: ${method}`;
  return { class: 'UnsupportedVersion', module: DISPATCH_MODULE, message, tb: [], args: [message], kwargs: {} };
}

/** The `failure` string of a reply. Rejects with `rpc-message-invalid` what is no failure object. */
export function parseFailure(text: string): OsloFailure {
  let decoded: unknown;
  try {
    decoded = JSON.parse(text);
  } catch (cause) {
    throw new NovellaError('rpc-message-invalid', 'the failure of a reply is not JSON', {}, { cause });
  }
  const parsed = osloFailure.safeParse(decoded);
  if (!parsed.success) {
    throw new NovellaError('rpc-message-invalid', `the failure of a reply: ${z.prettifyError(parsed.error)}`);
  }
  return parsed.data;
}

/**
 * The error that a caller sees: one of ours with the same code, grade and facts; `rpc-message-invalid` where the server
 * knows no such method or version; anything else `rpc-remote-failure` with the names that the peer gave.
 */
export function decodeFailure(failure: OsloFailure): NovellaError {
  if (failure.module === OURS.module && failure.class === OURS.class) {
    const kwargs = ourKwargs.safeParse(failure.kwargs);
    if (kwargs.success) {
      const { code, grade, facts } = kwargs.data;
      return new NovellaError(code, failure.message, facts, grade === ERRORS[code] ? undefined : { grade });
    }
  }
  const facts: ErrorFacts = { remoteModule: failure.module, remoteClass: failure.class };
  const dispatch = failure.class === 'NoSuchMethod' || failure.class === 'UnsupportedVersion';
  if (failure.module === DISPATCH_MODULE && dispatch) {
    return new NovellaError('rpc-message-invalid', failure.message, facts);
  }
  return new NovellaError('rpc-remote-failure', failure.message, facts);
}
