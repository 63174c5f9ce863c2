import {
  conductorRpc,
  type HandlersOf,
  type OperationResult,
  type PowerStateChanged,
  type ServiceReport,
} from '@novella/contracts';
import { RpcEndpoint } from '@novella/messaging';
import { Conductor } from './conductor.js';
import { recordPowerState, recordServiceReport } from './hosts/host-reports.js';

/** Routes messages to what they are for; a message is acknowledged when its handler has resolved. */
@RpcEndpoint(conductorRpc)
export class ConductorEndpoint implements HandlersOf<typeof conductorRpc> {
  constructor(private readonly conductor: Conductor) {}

  hint(): Promise<void> {
    this.conductor.engine.hint();
    return Promise.resolve();
  }

  operation_result(result: OperationResult): Promise<void> {
    return this.conductor.engine.answer(result);
  }

  service_report(report: ServiceReport): Promise<void> {
    return recordServiceReport(this.conductor.reports, report);
  }

  power_state_changed(change: PowerStateChanged): Promise<void> {
    return recordPowerState(this.conductor.reports, change);
  }
}
