import { type OperationKind, POWER_KINDS } from '@novella/core';
import type { OperationFacts } from '@novella/persistence';

/**
 * Who lets whom go first on one server, where the store's rule (one dispatched per server and volume, or per server)
 * says nothing: a command for the whole server and one for a volume of it must not meet on the host. What takes the
 * whole server waits only for what a host is doing at this moment, and what is about a volume waits for all of the
 * former: so neither waits for the other.
 */
const POWER: readonly OperationKind[] = POWER_KINDS;
const CHANGES_DISKS: readonly OperationKind[] = ['attach', 'detach'];

type Others = Pick<OperationFacts, 'others'>;

/** The server is being started, stopped, rebooted, paused and so on, or soon will be. */
export const powerIsChanging = ({ others }: Others): boolean => others.some(({ kind }) => POWER.includes(kind));

/** A host is putting a volume into the server, or is taking one out. */
export const disksAreChanging = ({ others }: Others): boolean =>
  others.some(({ kind, state }) => state === 'dispatched' && CHANGES_DISKS.includes(kind));

/** The server's memory is on its host's disk, with the disks of then: none can come or go before it is resumed. */
export const isSuspended = ({ instance }: Pick<OperationFacts, 'instance'>): boolean =>
  instance.vmState === 'suspended';

/** A host is doing anything at all for the server, or a build has begun that undoes itself. */
export const hostIsActing = ({ others }: Others): boolean =>
  others.some(({ kind, state }) => state === 'dispatched' || kind === 'build');
