import {
  type Bytes,
  ERRORS,
  type ErrorRecord,
  isErrorCode,
  isUuid,
  type Millis,
  NovellaError,
  POWER_STATES,
  type ServerId,
  type VolumeId,
} from '@novella/core';
import { z } from 'zod';
import type { Guest, GuestDisk, GuestSpec, HypervisorFacts, VolumeKey } from './driver.js';

/**
 * What a fake hypervisor and its drivers say to each other over a unix socket: one JSON object on each line.
 *
 *   hypervisor to driver   {"hello": PROTOCOL}                                      once, first
 *   driver to hypervisor   {"id": 1, "call": "stopGuest", "args": [server, 5000]}
 *                          {"cancel": 1}                                            aborts that call, if it can be
 *   hypervisor to driver   {"id": 1, "result": ...}, {"id": 1, "error": ErrorRecord}, {"id": 1, "aborted": true}
 *                          {"server": ..., "powerState": "running"}                 at each change
 */
export const PROTOCOL = 'novella-fake-hypervisor-2';

/** More than any definition of a guest needs, and than a thousand guests in one answer. */
export const LONGEST_LINE = 16 * 2 ** 20;

const serverId = z.custom<ServerId>((value) => typeof value === 'string' && isUuid(value));
const volumeId = z.custom<VolumeId>((value) => typeof value === 'string' && isUuid(value));
export const byteCount = z.custom<Bytes>((value) => Number.isSafeInteger(value) && Number(value) >= 0);
const duration = z.custom<Millis>((value) => typeof value === 'number' && value >= 0);
const format = z.enum(['raw', 'qcow2']);
const bus = z.enum(['virtio', 'scsi']);
const powerState = z.enum(POWER_STATES);

export const guestDisk = z.object({
  volume: volumeId,
  source: z.union([
    z.object({ kind: z.enum(['file', 'block']), path: z.string() }),
    z.object({
      kind: z.literal('network'),
      path: z.string(),
      monitors: z.array(z.object({ host: z.string(), port: z.number() })).readonly(),
      auth: z.object({ username: z.string(), secretUuid: z.string().nullable() }).nullable(),
      discard: z.boolean(),
    }),
  ]),
  format: z.enum(['raw', 'qcow2', 'luks']),
  device: z.string(),
  bus,
  shareable: z.boolean(),
  readOnly: z.boolean(),
}) satisfies z.ZodType<GuestDisk>;

export const guestSpec = z.object({
  server: serverId,
  domainName: z.string(),
  displayName: z.string(),
  projectId: z.string(),
  vcpus: z.number(),
  memoryMib: z.number(),
  kernel: z.object({ kernelPath: z.string(), initrdPath: z.string(), commandLine: z.string() }).nullable(),
  rootDisk: z.object({ path: z.string(), format, bus }).nullable(),
  bootVolume: volumeId.nullable(),
  disks: z.array(guestDisk),
  consolePath: z.string(),
}) satisfies z.ZodType<GuestSpec>;

const guest = z.object({
  server: serverId,
  powerState,
  run: z.number().nullable(),
  disks: z.array(
    z.object({ volume: volumeId, device: z.string(), path: z.string(), guestBytes: byteCount.nullable() }),
  ),
}) satisfies z.ZodType<Guest>;

const hypervisorFacts = z.object({
  type: z.string(),
  version: z.string(),
  hostname: z.string(),
  vcpus: z.number(),
  memoryMib: z.number(),
}) satisfies z.ZodType<HypervisorFacts>;

/** As text, in base64. */
const volumeKeys = z.array(z.object({ volume: volumeId, purpose: z.enum(['cephx', 'luks']), value: z.base64() }));
export type KeysOnWire = z.output<typeof volumeKeys>;
export const toWire = (keys: readonly VolumeKey[]): KeysOnWire =>
  keys.map((key) => ({ ...key, value: key.value.toString('base64') }));
export const fromWire = (keys: KeysOnWire): VolumeKey[] =>
  keys.map((key) => ({ ...key, value: Buffer.from(key.value, 'base64') }));

/** A call that answers nothing answers null. */
const done = z.null();

/** Each call of the port, in its terms; a signal travels as a cancel. */
export const CALLS = {
  hypervisor: { args: z.tuple([]), result: hypervisorFacts },
  guests: { args: z.tuple([]), result: z.array(guest) },
  guest: { args: z.tuple([serverId]), result: guest.nullable() },
  createGuest: { args: z.tuple([guestSpec, volumeKeys]), result: guest },
  destroyGuest: { args: z.tuple([serverId]), result: done },
  startGuest: { args: z.tuple([serverId, volumeKeys]), result: guest },
  stopGuest: { args: z.tuple([serverId, duration]), result: done },
  pauseGuest: { args: z.tuple([serverId]), result: guest },
  unpauseGuest: { args: z.tuple([serverId]), result: guest },
  suspendGuest: { args: z.tuple([serverId]), result: guest },
  resumeGuest: { args: z.tuple([serverId, volumeKeys]), result: guest },
  attachDisk: { args: z.tuple([serverId, guestDisk, volumeKeys]), result: guest },
  detachDisk: { args: z.tuple([serverId, volumeId]), result: done },
  resizeDisk: { args: z.tuple([serverId, volumeId, byteCount]), result: byteCount },
} as const;

export type CallName = keyof typeof CALLS;
export type ArgsOf<Name extends CallName> = z.output<(typeof CALLS)[Name]['args']>;
export type ResultOf<Name extends CallName> = z.output<(typeof CALLS)[Name]['result']>;

const id = z.number().int().positive();
const callName = z.custom<CallName>((value) => typeof value === 'string' && Object.hasOwn(CALLS, value));

export const request = z.union([
  z.strictObject({ id, call: callName, args: z.array(z.unknown()) }),
  z.strictObject({ cancel: id }),
]);
export type Request = z.output<typeof request>;

const errorRecord = z.object({
  code: z.custom<ErrorRecord['code']>((value) => typeof value === 'string' && isErrorCode(value)),
  grade: z.enum(['unsure', 'infeasible', 'final']),
  message: z.string(),
  facts: z.record(z.string(), z.union([z.string(), z.number(), z.boolean(), z.null()])),
}) satisfies z.ZodType<ErrorRecord>;

export const hello = z.strictObject({ hello: z.literal(PROTOCOL) });

export const told = z.union([
  z.strictObject({ id, result: z.unknown() }),
  z.strictObject({ id, error: errorRecord }),
  z.strictObject({ id, aborted: z.literal(true) }),
  z.strictObject({ server: serverId, powerState }),
]);
export type Told = z.output<typeof told>;

/** The error that the hypervisor has thrown, with its code, grade and facts. */
export const asError = ({ code, grade, message, facts }: ErrorRecord): NovellaError =>
  new NovellaError(code, message, facts, grade === ERRORS[code] ? undefined : { grade });

export const asLine = (message: z.input<typeof hello> | Request | Told): string => `${JSON.stringify(message)}\n`;
