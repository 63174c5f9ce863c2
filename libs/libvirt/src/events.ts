import { PROGRAM, type Frame } from './frame.js';
import { type DomainRef, domainRef, text } from './wire-types.js';
import { decode, int, struct } from './xdr.js';

/** The events that are asked for on every connection, for all domains. libvirt:include/libvirt/libvirt-domain.h */
export interface DomainEvents {
  /** `event`: LIFECYCLE. */
  readonly lifecycle: { readonly domain: DomainRef; readonly event: number; readonly detail: number };
  readonly 'device-removed': { readonly domain: DomainRef; readonly alias: string };
  readonly 'device-removal-failed': { readonly domain: DomainRef; readonly alias: string };
}
export type EventName = keyof DomainEvents;

export const LIFECYCLE = {
  defined: 0,
  undefined: 1,
  started: 2,
  suspended: 3,
  resumed: 4,
  stopped: 5,
  shutdown: 6,
  pmSuspended: 7,
  crashed: 8,
} as const;

const lifecycle = struct<DomainEvents['lifecycle'] & { callbackId: number }>({
  callbackId: int,
  domain: domainRef,
  event: int,
  detail: int,
});
const device = struct<DomainEvents['device-removed'] & { callbackId: number }>({
  callbackId: int,
  domain: domainRef,
  alias: text,
});

/** `id` goes into the registration, `procedure` is the number under which the event arrives. */
export const EVENTS = {
  lifecycle: { id: 0, procedure: 318, body: lifecycle },
  'device-removed': { id: 15, procedure: 333, body: device },
  'device-removal-failed': { id: 22, procedure: 367, body: device },
} as const;

export type EventListeners = { readonly [Name in EventName]: (event: DomainEvents[Name]) => void };

/** Hands the event in `frame` to its listener; an event of a kind that was not asked for is none of ours. */
export function dispatchEvent(frame: Frame, listeners: EventListeners): void {
  if (frame.program !== PROGRAM.remote) return;
  switch (frame.procedure) {
    case EVENTS.lifecycle.procedure: {
      listeners.lifecycle(decode(lifecycle, frame.body));
      return;
    }
    case EVENTS['device-removed'].procedure: {
      listeners['device-removed'](decode(device, frame.body));
      return;
    }
    case EVENTS['device-removal-failed'].procedure: {
      listeners['device-removal-failed'](decode(device, frame.body));
      return;
    }
  }
}
