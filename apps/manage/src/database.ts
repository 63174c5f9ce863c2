import { seconds } from '@novella/core';
import { openSqlStore, schemaState, type Store } from '@novella/persistence';
import { type Environment, readConfig, schemaMustServe } from '@novella/service-kit';
import { DatabaseSettings } from './settings.js';

/** Runs `work` on the store that the environment names, and lets go of it. */
export async function withStore<T>(env: Environment | undefined, work: (store: Store) => Promise<T>): Promise<T> {
  const { databaseUrl, serviceDownTimeS } = readConfig(DatabaseSettings, env);
  schemaMustServe(await schemaState(databaseUrl));
  const store = await openSqlStore({
    url: databaseUrl,
    poolSize: 2,
    serviceDownTime: seconds(serviceDownTimeS),
    applicationName: 'novella-manage',
  });
  try {
    return await work(store);
  } finally {
    await store.close();
  }
}
