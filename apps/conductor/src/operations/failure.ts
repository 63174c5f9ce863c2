import { ERRORS, type ErrorCode, type ErrorFacts, type ErrorRecord } from '@novella/core';

/** An error that the conductor itself decides on, as it goes into the operation's record. */
export const failure = (code: ErrorCode, message: string, facts: ErrorFacts = {}): ErrorRecord => ({
  code,
  grade: ERRORS[code],
  message,
  facts,
});
