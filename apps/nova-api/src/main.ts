import 'reflect-metadata';
import { computeRpc, conductorRpc } from '@novella/contracts';
import { seconds } from '@novella/core';
import { openAmqpLink, rpcClient } from '@novella/messaging';
import { openSqlStore, schemaState, type Store } from '@novella/persistence';
import { cannotListen, type Program, runProgram, schemaMustServe, untilThere } from '@novella/service-kit';
import { hostname } from 'node:os';
import { createNovaApi } from './create-nova-api.js';
import { hintSender } from './hint-sender.js';
import { NovaApiAppConfig } from './nova-api-app.config.js';
import { openPolicy } from './open-policy.js';
import { openOpenStack } from './openstack.js';
import { schemaGate } from './schema-gate.js';

const CONFIRM_WITHIN = seconds(120);

/** The compute API. It listens at once; what is away meanwhile answers 503, or is told by the health. */
async function startNovaApi(config: Readonly<NovaApiAppConfig>, program: Program): Promise<void> {
  const { clock, random, log, shutdown } = program;
  const io = { clock, random, log };
  const policy = openPolicy(config, io);

  const link = openAmqpLink({
    urls: config.brokerUrls,
    connectionName: `nova-api-${hostname()}`,
    heartbeatS: config.brokerHeartbeatS,
    ...io,
  });
  shutdown.onShutdown('broker link', () => link.close());
  const conductors = rpcClient(link, conductorRpc, io);
  const computes = rpcClient(link, computeRpc, io);

  const openStack = openOpenStack(config, io);
  shutdown.onShutdown("clients of OpenStack's services", () => openStack.close());

  const store = await openStore(config, program);
  const api = await createNovaApi({
    config: {
      maxLimit: config.maxLimit,
      http: config.http,
      enableInstancePassword: config.instancePassword,
      confirmWithin: CONFIRM_WITHIN,
      computeLinkPrefix: config.linkPrefix ?? null,
      trustForwardedHeaders: config.trustForwarded,
    },
    authenticator: openStack.authenticator,
    ...policy,
    store,
    broker: link,
    cinder: openStack.cinder,
    images: openStack.images,
    hint: hintSender(conductors.any(), log),
    conductor: conductors.any(),
    compute: (host) => computes.to(host),
    log,
    random,
  });
  shutdown.onShutdown('HTTP', () => api.close());
  const { listen, port } = config;
  await api.listen({ host: listen, port }).catch((error: unknown) => {
    throw cannotListen({ listen, port }, error);
  });
  const url = await api.getUrl();
  log.info('serving', { api: `${url}/v2.1`, health: `${url}/health` });
}

/** Answers at once; the database and its schema may come later. */
async function openStore(config: Readonly<NovaApiAppConfig>, { clock, log, shutdown }: Program): Promise<Store> {
  const { databaseUrl: url, databasePool: poolSize } = config;
  const serviceDownTime = seconds(config.serviceDownTimeS);
  const sql = await openSqlStore({ url, poolSize, serviceDownTime, applicationName: 'novella-api' });
  shutdown.onShutdown('store', () => sql.close());
  const gate = schemaGate(sql);
  const look = async (): Promise<void> => {
    try {
      schemaMustServe(await schemaState(url));
    } catch (error) {
      gate.keepShut(error);
      throw error;
    }
  };
  // It ends by an answer or by the shutdown.
  untilThere('database', look, { clock, log, signal: shutdown.signal }).then(gate.open, () => undefined);
  return gate.store;
}

void runProgram('nova-api', NovaApiAppConfig, startNovaApi);
