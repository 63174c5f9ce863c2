import type { HostName, PowerState, ServerId } from '@novella/core';
import type { Capacity, Service } from './records.js';

export interface ServiceReportInput {
  readonly host: HostName;
  readonly binary: 'nova-compute' | 'nova-conductor';
  readonly version: string;
  readonly capabilities: readonly string[];
  readonly connectorProperties: Readonly<Record<string, unknown>>;
  readonly publicKey: string | null;
  readonly hypervisor: { readonly type: string; readonly version: string; readonly hostname: string };
  readonly capacity: Capacity;
}

export interface HostStore {
  /** Writes the report with last_report_at = now(). `came-up` when the service is new or was down until now. */
  reportService(report: ServiceReportInput): Promise<'came-up' | 'still-up'>;
  /** All services of a binary, with what is used of them. By host. */
  services(binary: 'nova-compute' | 'nova-conductor'): Promise<Service[]>;
  service(id: string): Promise<Service | null>;
  /**
   * What an operator decides of a service; null when there is none. A host forced down is not up, whatever it reports;
   * one that is no longer forced down is up again with its next report, which is a `came-up`. Enabled: no reason is kept.
   */
  updateService(
    id: string,
    change: { readonly disabled?: boolean; readonly disabledReason?: string | null; readonly forcedDown?: boolean },
  ): Promise<Service | null>;
  /**
   * Forgets the service; it comes back with its next report. `has-servers` when undeleted servers are placed on the host
   * of a nova-compute: then nothing was written.
   */
  deleteService(id: string): Promise<'deleted' | 'has-servers' | 'not-found'>;
  /** How many undeleted servers are placed on each host. Hosts with none are left out. */
  serversByHost(): Promise<ReadonlyMap<HostName, number>>;
  /** The host says that it is going down for a while: no longer up, until its next report. */
  serviceStopped(host: HostName, binary: 'nova-compute' | 'nova-conductor'): Promise<void>;
  /**
   * What the host saw of a guest. Ignored unless the server is on that host and not deleted. Without a task, and unless it
   * is `error` or `building`, the vm_state follows: running -> active, shutdown or crashed -> stopped, paused -> paused,
   * suspended or saved -> suspended.
   */
  recordPowerState(host: HostName, serverId: ServerId, powerState: PowerState): Promise<'recorded' | 'ignored'>;
}
