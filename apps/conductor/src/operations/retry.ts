import {
  type ErrorCode,
  type ErrorRecord,
  type Millis,
  millis,
  minutes,
  type OperationKind,
  type Random,
  seconds,
  type WaitingFor,
} from '@novella/core';
import type { Operation } from '@novella/persistence';
import type { Command, NO_STEPS, Plan, Turn } from './plan.js';

/** How long a host has for a command before its outcome is unknown and must be measured. */
export const DEADLINES = {
  build_instance: minutes(10),
  delete_instance: seconds(300),
  attach_volume: seconds(180),
  detach_volume: seconds(200),
  extend_volume: seconds(60),
  start_instance: seconds(180),
  // The guest has 60 s to shut down.
  stop_instance: seconds(180),
  reboot_instance: seconds(300),
  pause_instance: seconds(60),
  unpause_instance: seconds(60),
  // The guest's memory is written to the host's disk, or read from it.
  suspend_instance: minutes(14),
  resume_instance: minutes(14),
} as const satisfies Record<Command['method'], Millis>;

const FIRST_BACKOFF = seconds(1);
const LONGEST_BACKOFF = minutes(5);

/** 1 s, doubling to 5 min, with the lower half of each step as jitter. */
export function backoff(failures: number, random: Random): Millis {
  const full = Math.min(LONGEST_BACKOFF, FIRST_BACKOFF * 2 ** Math.min(failures, 20));
  return millis(Math.round(full * (0.5 + random.fraction() / 2)));
}

/**
 * An unsure error that says "not there (yet)" about the host's own devices is believed after so many tries in a row;
 * one about somebody who does not answer is never believed: the operation waits for them.
 */
const BELIEVED_AFTER: Partial<Record<ErrorCode, number>> = {
  'host-device-missing': 3,
  'host-device-too-small': 3,
  'guest-size-not-reached': 3,
  'hypervisor-refused': 4,
  'host-state-lost': 4,
  internal: 6,
};
/**
 * About a build's image: two minutes of tries, in which an image service or a conductor starts again. Nothing is lost by
 * the end of a build, so unlike Cinder they are not waited for without one.
 */
const FOR_IMAGES: Partial<Record<ErrorCode, number>> = {
  'image-service-unreachable': 8,
  'image-service-answer-invalid': 8,
  'image-download-failed': 8,
};
/** A user waits for the end of these: after so many unsure tries they are undone or given up. */
const USER_WAITS: Partial<Record<OperationKind, number>> = {
  attach: 3,
  build: 3,
  detach: 3,
  start: 3,
  stop: 3,
  reboot: 3,
  pause: 3,
  unpause: 3,
  suspend: 3,
  resume: 3,
};
const AWAY: readonly ErrorCode[] = [
  'hypervisor-unreachable',
  'broker-unreachable',
  'cinder-unreachable',
  'cinder-unauthorized',
  'cinder-answer-invalid',
];

const WAIT_OF: Partial<Record<ErrorCode, WaitingFor>> = { 'paths-down': 'paths', 'guest-busy': 'migration' };

/** Waiting in vain for somebody who was away is no try at what fails now, nor the other way round. */
export function failuresBefore({ error: last, failures }: Operation, error: ErrorRecord): number {
  return last !== null && AWAY.includes(last.code) !== AWAY.includes(error.code) ? 0 : failures;
}

/** What an error means for the step that met it: try again, or believe it. */
export function isBelieved({ operation }: Turn, error: ErrorRecord): boolean {
  if (error.grade !== 'unsure') return true;
  if (AWAY.includes(error.code)) return false;
  const tries = FOR_IMAGES[error.code] ?? USER_WAITS[operation.kind] ?? BELIEVED_AFTER[error.code];
  return tries !== undefined && failuresBefore(operation, error) + 1 >= tries;
}

type PlanWithoutStep = Plan<typeof NO_STEPS>;

export const waitFor = (error: ErrorRecord): Extract<PlanWithoutStep, { do: 'wait' }> => ({
  do: 'wait',
  for: WAIT_OF[error.code] ?? 'retry',
  error,
  countsAsFailure: true,
});

/** While undoing, the error that made it necessary is kept, so none is given here. */
export const UNDO_AGAIN: PlanWithoutStep = { do: 'wait', for: 'retry', countsAsFailure: true };

/** For operations of one step: retry while unsure, else the end. */
export const afterFailure = (turn: Turn, error: ErrorRecord): PlanWithoutStep =>
  isBelieved(turn, error) ? { do: 'fail', error } : waitFor(error);
