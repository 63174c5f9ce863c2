import { type ErrorFacts, NovellaError } from '@novella/core';

/** The link cannot carry it now; what was under way may have been taken or not. */
export const unreachable = (message: string, facts: ErrorFacts = {}, cause?: unknown): NovellaError =>
  new NovellaError('broker-unreachable', message, facts, { cause });
