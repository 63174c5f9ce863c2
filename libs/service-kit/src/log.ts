import { type Log, type LogFacts, NovellaError } from '@novella/core';
import { type DestinationStream, pino } from 'pino';
import { redact } from './redact.js';

export type LogLevel = 'debug' | 'info' | 'warn' | 'error' | 'silent';

/**
 * JSON lines on stdout or `destination`. Facts stand beside the message under their own names (a request's id as
 * `requestId`), secrets among them are replaced, and an error is printed once with its whole chain of causes.
 */
export function createLog(options: { name: string; level: LogLevel; destination?: DestinationStream }): Log {
  const settings = {
    name: options.name,
    level: options.level,
    base: { pid: process.pid },
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }) },
  };
  // Written at once: what is buffered is lost at a kill, and keeps a process whose reader has gone from ending.
  const out = pino(settings, options.destination ?? pino.destination({ fd: 1, sync: true }));
  return {
    debug: (message, facts) => out.debug(printable(facts), message),
    info: (message, facts) => out.info(printable(facts), message),
    warn: (message, facts) => out.warn(printable(facts), message),
    error: (message, facts) => out.error(printable(facts), message),
  };
}

/** A log that adds `facts` to each line: the request's id, an operation's. What a line says itself goes first. */
export function withFacts(log: Log, facts: LogFacts): Log {
  return {
    debug: (message, more) => log.debug(message, { ...facts, ...more }),
    info: (message, more) => log.info(message, { ...facts, ...more }),
    warn: (message, more) => log.warn(message, { ...facts, ...more }),
    error: (message, more) => log.error(message, { ...facts, ...more }),
  };
}

const LONGEST_CHAIN = 16;

function printable(facts: LogFacts = {}): Record<string, unknown> {
  const { error, ...rest } = facts;
  const line = redact(rest) as Record<string, unknown>;
  if (error === undefined) return line;
  return { ...line, error: redact(isRecord(error) ? error : chainOf(error)) };
}

interface PrintedError {
  readonly name: string;
  readonly message: string;
  readonly code?: unknown;
  readonly facts?: unknown;
  readonly stack?: string;
  readonly causes?: readonly PrintedError[];
}

/** The error, then what caused it, from the outermost inwards; the stack is the innermost one's: where it began. */
function chainOf(thrown: unknown): PrintedError {
  const chain: unknown[] = [];
  for (let next = thrown; next !== undefined && chain.length < LONGEST_CHAIN && !chain.includes(next);) {
    chain.push(next);
    next = isError(next) ? next.cause : undefined;
  }
  const printed = chain.map((error, index) => printedError(error, index === chain.length - 1));
  const [first, ...causes] = printed;
  if (first === undefined) return { name: 'undefined', message: 'undefined was thrown' };
  return causes.length === 0 ? first : { ...first, causes };
}

function printedError(error: unknown, innermost: boolean): PrintedError {
  if (!isError(error)) return { name: typeof error, message: String(error) };
  const code = 'code' in error ? { code: error.code } : {};
  const facts = error instanceof NovellaError ? { facts: error.facts } : {};
  const stack = innermost && error.stack !== undefined ? { stack: error.stack } : {};
  return { name: error.name, message: error.message, ...code, ...facts, ...stack };
}

/** An error that has travelled: out of a message or an operation's row. */
const isRecord = (value: unknown): boolean =>
  typeof value === 'object' && value !== null && 'code' in value && 'grade' in value && !isError(value);

/** Also an error that another realm made, which is no instance of ours. */
const isError = (value: unknown): value is Error =>
  value instanceof Error ||
  (typeof value === 'object' && value !== null && 'message' in value && 'stack' in value && 'name' in value);
