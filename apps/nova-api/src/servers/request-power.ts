import { assertNever } from '@novella/core';
import type { Instance } from '@novella/persistence';
import { type ApiCall, requesterOf } from '../http/request-context.js';
import type { NovaApiPorts } from '../ports.js';
import { POWER_ACTIONS, type PowerAction, whyNotPower } from './decide-power.js';
import { invalidState, noSuchServer, notReady, whyNotNow } from './instance-state.js';

/** os-start, os-stop, reboot, pause, unpause, suspend, resume: decide from the server as it was read, let the store have the last word, wake the engine. */
export async function requestPower(
  io: Pick<NovaApiPorts, 'store' | 'hint'>,
  { context }: Pick<ApiCall, 'context'>,
  server: Instance,
  action: PowerAction,
): Promise<void> {
  const refusal = whyNotPower(action, server);
  if (refusal !== null) throw refusal;
  const { kind, from, taskState } = POWER_ACTIONS[action];
  const outcome = await io.store.requestPower({
    serverId: server.id,
    kind,
    request: requestOf(action),
    from,
    taskState,
    requester: requesterOf(context),
  });
  switch (outcome.kind) {
    case 'accepted':
      io.hint();
      return;
    case 'server-not-found':
      throw noSuchServer(server.id);
    case 'no-host':
      throw notReady(server.id);
    case 'wrong-state': {
      const { vmState, taskState: doing } = outcome;
      const now = { ...server, vmState, taskState: doing };
      throw whyNotNow(kind, now, from) ?? invalidState(kind, server.id);
    }
    default:
      return assertNever(outcome);
  }
}

function requestOf(action: PowerAction): Readonly<Record<string, string>> {
  if (action === 'soft-reboot') return { type: 'soft' };
  return action === 'hard-reboot' ? { type: 'hard' } : {};
}
