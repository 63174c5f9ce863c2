import { POWER_STATES } from '@novella/core';
import { z } from 'zod';
import { cast, defineRpc } from './define-rpc.js';
import { byteCount, commandToken, errorRecord, hostName, measuredDisk, serverId } from './wire.js';

/**
 * What a host says to the conductors, and the hint that wakes them. A result is the durable end of a command: the
 * command is acknowledged only after the broker has confirmed the result.
 */
export const outcome = z.discriminatedUnion('status', [
  z.object({
    status: z.literal('grown'),
    hostBytes: byteCount,
    /** What the hypervisor shows the guest, read back; null when the guest is off. */
    guestBytes: byteCount.nullable(),
  }),
  /** The device is in the domain, or will be at its next start. */
  z.object({ status: z.literal('attached'), disk: measuredDisk }),
  z.object({ status: z.literal('detached') }),
  z.object({ status: z.literal('built'), powerState: z.enum(POWER_STATES), disks: z.array(measuredDisk) }),
  z.object({ status: z.literal('deleted') }),
  /** After a start, stop, reboot, pause, unpause, suspend or resume: the guest as it now is, its disks read back. */
  z.object({ status: z.literal('powered'), powerState: z.enum(POWER_STATES), disks: z.array(measuredDisk) }),
  /** The host has acted on a newer command for this server or volume; nothing was done. */
  z.object({ status: z.literal('stale') }),
  /** Nothing is known to have changed beyond what `error` says. */
  z.object({ status: z.literal('failed'), error: errorRecord }),
]);
export type Outcome = z.output<typeof outcome>;

export const operationResult = z.object({ host: hostName, token: commandToken, outcome });
export type OperationResult = z.output<typeof operationResult>;

export const serviceReport = z.object({
  host: hostName,
  /** `starting` is the first report of a process; a conductor then looks after what that host was doing. */
  phase: z.enum(['starting', 'running', 'stopping']),
  /** The raw X25519 key, base64, that secrets for this host are sealed to. */
  publicKey: z.string().regex(/^[A-Za-z0-9+/]{43}=$/),
  version: z.string(),
  hypervisor: z.object({ type: z.string(), version: z.string(), hostname: z.string() }),
  /** What this host can do, by name: `extend-volume`, `protocol:local`. */
  capabilities: z.array(z.string()),
  /** os-brick's connector properties of the host, as Cinder wants them. */
  connectorProperties: z.record(z.string(), z.unknown()),
  capacity: z.object({
    vcpus: z.number().int().nonnegative(),
    memoryMib: z.number().int().nonnegative(),
    diskGib: z.number().int().nonnegative(),
  }),
});
export type ServiceReport = z.output<typeof serviceReport>;

export const powerStateChanged = z.object({
  host: hostName,
  server: serverId,
  powerState: z.enum(POWER_STATES),
});
export type PowerStateChanged = z.output<typeof powerStateChanged>;

/** The host was taken out of the deployment: what the broker still has for it goes. */
export const removeHost = z.object({ host: hostName });
export type RemoveHost = z.output<typeof removeHost>;

/** Hosts report so often; a service is `up` while its last report is younger than `serviceDownTimeS` of the conductor. */
export const REPORT_INTERVAL_MS = 10_000;

export const conductorRpc = defineRpc({
  topic: 'conductor',
  version: '1.0',
  methods: {
    /** There is something to claim. Carries nothing; losing it costs one sweep. */
    hint: cast(z.object({}), { persistent: false, mandatory: false, expiresMs: 1_000 }),
    operation_result: cast(operationResult, { persistent: true, mandatory: true }),
    service_report: cast(serviceReport, { persistent: false, mandatory: true, expiresMs: REPORT_INTERVAL_MS }),
    power_state_changed: cast(powerStateChanged, { persistent: true, mandatory: true }),
    remove_host: cast(removeHost, { persistent: true, mandatory: true }),
  },
});
