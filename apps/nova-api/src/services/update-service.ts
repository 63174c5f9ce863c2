import type { HostStore, Service } from '@novella/persistence';
import { ApiFault } from '../http/fault.js';
import { has } from '../http/microversion.js';
import type { ApiCall } from '../http/request-context.js';
import { isTrue } from '../http/rules.js';
import type { NovaApiPorts } from '../ports.js';
import { findService } from './find-service.js';
import type { UpdateNamedServiceBody, UpdateServiceBody } from './services.dto.js';

/** What an operator decides of a compute service. Mirrors nova:nova/api/openstack/compute/services.py update. */
type Change = Parameters<HostStore['updateService']>[1];
type Io = Pick<NovaApiPorts, 'store' | 'hint'>;

/** PUT os-services/{uuid}: the service as it then is. */
export async function updateService(
  io: Io,
  id: string,
  body: UpdateServiceBody,
  call: Pick<ApiCall, 'microversion'>,
): Promise<Service> {
  const service = await findService(io.store, id, call);
  if (service === null) throw noSuchService(id);
  refuseOthers(service.binary);
  const updated = await write(io, service, changeOf(body));
  if (updated === null) throw noSuchService(id);
  return updated;
}

/** What waits for a host may go on without it once it is declared fenced. */
async function write({ store, hint }: Io, { id, host }: Service, change: Change): Promise<Service | null> {
  const updated = await store.updateService(id, change);
  if (updated !== null && change.forcedDown === true && (await store.wake({ for: 'host', host })) > 0) hint();
  return updated;
}

function changeOf(body: UpdateServiceBody): Change {
  if (body.status === 'enabled' && body.disabled_reason !== undefined) {
    throw new ApiFault(400, "Specifying 'disabled_reason' with status 'enabled' is invalid.");
  }
  if (body.status === undefined && body.forced_down === undefined) {
    throw new ApiFault(400, "No updates were requested. Fields 'status' or 'forced_down' should be specified.");
  }
  const disabled = body.status === 'disabled';
  return {
    ...(body.status === undefined
      ? {}
      : { disabled, disabledReason: disabled ? (body.disabled_reason ?? null) : null }),
    ...(body.forced_down === undefined ? {} : { forcedDown: isTrue(body.forced_down) }),
  };
}

/** PUT os-services/enable, disable, disable-log-reason, force-down: answers what was said, as Nova does. */
export async function updateNamedService(
  io: Io,
  action: string,
  body: UpdateNamedServiceBody,
  call: Pick<ApiCall, 'microversion'>,
) {
  const { host, binary } = body;
  const { change, said } = namedChange(action, body, call);
  refuseOthers(binary);
  const service = (await io.store.services('nova-compute')).find((each) => each.host === host);
  const updated = service === undefined ? null : await write(io, service, change);
  if (updated === null) throw new ApiFault(404, `Could not find binary ${binary} on host ${host}.`);
  return { host, binary, ...said };
}

function namedChange(
  action: string,
  body: UpdateNamedServiceBody,
  { microversion }: Pick<ApiCall, 'microversion'>,
): { change: Change; said: object } {
  switch (action) {
    case 'enable':
      return { change: { disabled: false, disabledReason: null }, said: { status: 'enabled' } };
    case 'disable':
      return { change: { disabled: true, disabledReason: null }, said: { status: 'disabled' } };
    case 'disable-log-reason': {
      const { disabled_reason: reason } = body;
      if (reason === undefined) throw new ApiFault(400, 'Missing disabled reason field');
      const said = { status: 'disabled', disabled_reason: reason };
      return { change: { disabled: true, disabledReason: reason }, said };
    }
    case 'force-down': {
      if (!has(microversion, 'services.forced-down')) break;
      if (body.forced_down === undefined) throw new ApiFault(400, 'Missing forced_down field');
      const forcedDown = isTrue(body.forced_down);
      return { change: { forcedDown }, said: { forced_down: forcedDown } };
    }
  }
  throw new ApiFault(404, 'Unknown action');
}

const noSuchService = (id: string): ApiFault => new ApiFault(404, `Service ${id} could not be found.`);

function refuseOthers(binary: string): void {
  if (binary === 'nova-compute') return;
  throw new ApiFault(400, `Updating a ${binary} service is not supported. Only nova-compute services can be updated.`);
}
