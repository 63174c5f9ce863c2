import { conductorRpc } from '@novella/contracts';
import { type ProjectId, type RequestId, seconds, type ServerId, type VolumeId } from '@novella/core';
import { rpcClient } from '@novella/messaging';
import type { Instance, Store } from '@novella/persistence';
import { novaDefaults, type RuleName, type Rules } from '@novella/policy';
import { hintSender } from '../../apps/nova-api/src/hint-sender.js';
import { Judge } from '../../apps/nova-api/src/http/judge.js';
import type { ApiCall } from '../../apps/nova-api/src/http/request-context.js';
import { MAX_MICROVERSION } from '../../apps/nova-api/src/http/microversion.js';
import { identityOfToken } from '../../apps/nova-api/src/http/noauth2.js';
import { decideEvent } from '../../apps/nova-api/src/server-external-events/decide-events.js';
import { createServer } from '../../apps/nova-api/src/servers/create-server.js';
import type { PowerAction } from '../../apps/nova-api/src/servers/decide-power.js';
import { requestPower } from '../../apps/nova-api/src/servers/request-power.js';
import { attachVolume } from '../../apps/nova-api/src/volume-attachments/attach-volume.js';
import { detachVolume } from '../../apps/nova-api/src/volume-attachments/detach-volume.js';
import type { VolumeApi } from '../../apps/nova-api/src/volume-api.js';
import { callOutside } from './call-faults.js';
import type { DeploymentIo } from './deployment-io.js';
import { processIo, type RunningProcess } from './run-processes.js';

export const PROJECT = 'd'.repeat(32) as ProjectId;
export const FLAVOR = 'small';

/** What users and Cinder ask; each rejects when it is refused and never settles when the process dies meanwhile. */
export interface Api {
  extended(events: readonly { server: ServerId; volume: VolumeId }[], request: RequestId): Promise<readonly number[]>;
  attach(server: ServerId, volume: VolumeId, request: RequestId): Promise<void>;
  detach(server: ServerId, volume: VolumeId, request: RequestId): Promise<void>;
  power(server: ServerId, action: PowerAction, request: RequestId): Promise<void>;
  deleteServer(server: ServerId, request: RequestId): Promise<void>;
  build(volumes: readonly VolumeId[], request: RequestId): Promise<ServerId>;
}

const CONFIG = {
  maxLimit: 1_000,
  enableInstancePassword: false,
  confirmWithin: seconds(120),
  computeLinkPrefix: null,
  trustForwardedHeaders: false,
} as const;

export function startApi(deployment: DeploymentIo, name: string, run: number): { running: RunningProcess; api: Api } {
  const { running, process, link, own, store: storeOf } = processIo(deployment, name, run, 'nova-api');
  const store = storeOf();
  const hint = hintSender(rpcClient(link, conductorRpc, own).any(), own.log);
  const faults = {
    clock: deployment.clock,
    chance: deployment.chance.of(`cinder for ${name} ${run}`),
    faults: deployment.cinderFaults,
  };
  const at = deployment.cinder.api;
  const cinder: VolumeApi = {
    volume: (...args) => callOutside(process, faults, () => at.volume(...args)),
    createAttachment: (...args) => callOutside(process, faults, () => at.createAttachment(...args)),
    deleteAttachment: (...args) => callOutside(process, faults, () => at.deleteAttachment(...args)),
  };
  const images = { image: () => Promise.resolve(null) };
  const io = { store, cinder, images, config: CONFIG, hint, ...own };
  const rules = novaDefaults(own).rules();
  const api: Api = {
    async extended(events, request) {
      const servers = await store.instancesForEvents(events.map(({ server }) => server));
      const decided = events.map(({ server, volume }) =>
        decideEvent({ name: 'volume-extended', server_uuid: server, status: 'completed', tag: volume }, servers),
      );
      await store.acceptExternalEvents(decided, callBy(request, rules).context);
      hint();
      return decided.map(({ code }) => code);
    },
    async attach(server, volume, request) {
      const instance = await found(store, server);
      await attachVolume(io, callBy(request, rules), instance, { volumeAttachment: { volumeId: volume } });
    },
    detach: async (server, volume, request) =>
      detachVolume(io, callBy(request, rules), await found(store, server), volume),
    power: async (server, action, request) =>
      requestPower(io, callBy(request, rules), await found(store, server), action),
    async deleteServer(server, request) {
      const outcome = await store.requestDelete(server, callBy(request, rules).context);
      if (outcome !== 'accepted') throw new Error(outcome);
      hint();
    },
    async build(volumes, request) {
      const devices = volumes.map((uuid, index) => ({
        uuid,
        source_type: 'volume' as const,
        destination_type: 'volume' as const,
        boot_index: index === 0 ? 0 : -1,
      }));
      const body = {
        server: { name: 'built', flavorRef: FLAVOR, networks: 'none', block_device_mapping_v2: devices },
      } as const;
      return (await createServer(io, callBy(request, rules), body)).created.instances[0].id;
    },
  };
  return { running, api };
}

async function found(store: Store, server: ServerId): Promise<Instance> {
  const instance = await store.instance(server);
  if (instance === null) throw new Error('no such server');
  return instance;
}

function callBy(requestId: RequestId, rules: Rules<RuleName>): ApiCall {
  const identity = identityOfToken(`admin:${PROJECT}`);
  const judge = new Judge(rules, identity);
  return {
    context: {
      ...identity,
      judge,
      isAdmin: judge.isAdmin,
      requestId,
      globalRequestId: null,
      token: 'token',
    },
    microversion: MAX_MICROVERSION,
    legacy: false,
    links: { self: (path) => path, bookmark: (path) => path },
  };
}
