import type { ErrorRecord } from '@novella/core';
import type { BlockDeviceMapping, OperationFacts } from '@novella/persistence';
import { connectedDisks, volumeDisk } from './disks.js';
import { isSuspended, powerIsChanging } from './exclusion.js';
import type { Plan } from './plan.js';

/**
 * The way off a host, the same for every kind: nothing is let go at Cinder before the host has reported the device or
 * guest gone, or an operator has declared the host fenced (forced down). Until then it is waited for.
 */
export const OFF_HOST = 'off-host';
/** Cinder's attachment is let go. */
export const RELEASE = 'release';
export const RELEASED = 'released';

type OffHostPlan = Plan<{
  own: readonly [typeof RELEASE];
  onHost: readonly [typeof OFF_HOST];
  reached: readonly [typeof RELEASED];
}>;

/** `error`: why it is undone; null when it is what was asked for. */
export function volumeOffHost(
  rows: OperationFacts,
  mapping: BlockDeviceMapping,
  error: ErrorRecord | null,
): OffHostPlan {
  const because = error === null ? {} : { error };
  const { instance, service } = rows;
  const disk = volumeDisk(mapping);
  if (disk === null || instance.host === null || service?.forcedDown === true) return release(mapping, error);
  if (service?.up !== true) return { do: 'wait', for: 'host', step: OFF_HOST, ...because };
  if (powerIsChanging(rows)) return { do: 'wait', for: 'server-task', step: OFF_HOST, ...because };
  if (isSuspended(rows)) return { do: 'wait', for: 'guest-start', step: OFF_HOST, ...because };
  return {
    do: 'dispatch',
    step: OFF_HOST,
    host: instance.host,
    command: { method: 'detach_volume', args: { server: instance.id, disk } },
    ...because,
  };
}

/** No command names the volume any more from here on, so that no host opens it again. */
export const release = ({ id }: BlockDeviceMapping, error: ErrorRecord | null = null): OffHostPlan => ({
  do: 'run',
  step: RELEASE,
  changes: { mappings: [{ id, connection: null, sealedSecret: null }] },
  ...(error === null ? {} : { error }),
});

export function serverOffHost(rows: OperationFacts, error: ErrorRecord | null): OffHostPlan {
  const because = error === null ? {} : { error };
  const { instance, service } = rows;
  if (instance.host === null || service?.forcedDown === true) return { do: 'run', step: RELEASE, ...because };
  if (service?.up !== true) return { do: 'wait', for: 'host', step: OFF_HOST, ...because };
  return {
    do: 'dispatch',
    step: OFF_HOST,
    host: instance.host,
    command: { method: 'delete_instance', args: { server: instance.id, volumes: connectedDisks(rows.mappings) } },
    ...because,
  };
}
