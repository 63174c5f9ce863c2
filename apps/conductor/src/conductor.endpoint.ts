import {
  conductorRpc,
  type HandlersOf,
  type MessageFacts,
  type OperationResult,
  type PowerStateChanged,
  type RemoveHost,
  type ServiceReport,
} from '@novella/contracts';
import { RpcEndpoint } from '@novella/messaging';
import { Conductor } from './conductor.js';
import { recordPowerState, recordServiceReport, removeHost } from './hosts/host-reports.js';
import { onlyFromApi, onlyFromHost } from './hosts/verify-sender.js';

type Nothing = Record<string, never>;

/** Routes messages to what they are for; a message is acknowledged when its handler has resolved. */
@RpcEndpoint(conductorRpc)
export class ConductorEndpoint implements HandlersOf<typeof conductorRpc> {
  constructor(private readonly conductor: Conductor) {}

  // From anybody: it carries nothing.
  hint(_nothing: Nothing, _message: MessageFacts): Promise<void> {
    this.conductor.engine.hint();
    return Promise.resolve();
  }

  // async, so that a refused sender is a rejection like any other.
  async operation_result(result: OperationResult, message: MessageFacts): Promise<void> {
    if (this.conductor.verifySender) onlyFromHost(result.host, message);
    await this.conductor.engine.answer(result);
  }

  async service_report(report: ServiceReport, message: MessageFacts): Promise<void> {
    if (this.conductor.verifySender) onlyFromHost(report.host, message);
    await recordServiceReport(this.conductor.reports, report);
  }

  async power_state_changed(change: PowerStateChanged, message: MessageFacts): Promise<void> {
    if (this.conductor.verifySender) onlyFromHost(change.host, message);
    await recordPowerState(this.conductor.reports, change);
  }

  async remove_host(removed: RemoveHost, message: MessageFacts): Promise<void> {
    if (this.conductor.verifySender) onlyFromApi(message);
    await removeHost(this.conductor.reports, removed);
  }
}
