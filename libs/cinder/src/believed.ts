import { NovellaError } from '@novella/core';
import { z } from 'zod';
import type { Answer, Call } from './transport.js';

/** What an answer must be before it is believed. Errors: cinder-answer-invalid; cinder-refused for what is gone. */
export function expectDone(call: Call, answer: Answer): asserts answer is Answer & { kind: 'ok' } {
  if (answer.kind === 'ok') return;
  throw new NovellaError('cinder-refused', `Cinder has no longer what ${call.name} asked for`, answer.facts);
}

/** Cinder carries out an action without a word; who answers with one is somebody else, and has done nothing. */
export function expectNothing(call: Call, answer: Answer & { kind: 'ok' }): void {
  if (answer.json === undefined) return;
  const facts = { call: call.name, status: answer.status };
  throw new NovellaError('cinder-answer-invalid', `Cinder's answer to ${call.name} should be empty`, facts);
}

/** What was answered, when it is about what was asked for: a cache or a proxy may mix answers up. */
export function ofSubject<T extends object>(call: Call, found: T, wanted: Partial<T>): T {
  const differs = (Object.keys(wanted) as (keyof T)[]).find((name) => found[name] !== wanted[name]);
  if (differs === undefined) return found;
  const message = `Cinder's answer to ${call.name} is about something else`;
  throw new NovellaError('cinder-answer-invalid', message, { call: call.name, field: String(differs) });
}

export function parse<T>(call: Call, answer: Answer, schema: z.ZodType<T>): T {
  expectDone(call, answer);
  const parsed = schema.safeParse(answer.json);
  if (parsed.success) return parsed.data;
  // Zod names paths and what it expected, never what it got.
  throw new NovellaError('cinder-answer-invalid', `Cinder's answer to ${call.name}: ${z.prettifyError(parsed.error)}`, {
    call: call.name,
    status: answer.status,
  });
}
