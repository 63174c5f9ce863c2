import type { Millis } from '@novella/core';
import { Pool, type PoolConfig } from 'pg';
import { DataSource, type Logger } from 'typeorm';
import { BlockDeviceMappingRow } from './entities/block-device-mapping.entity.js';
import { ExternalEventRow } from './entities/external-event.entity.js';
import { FlavorRow } from './entities/flavor.entity.js';
import { InstanceActionEventRow, InstanceActionRow } from './entities/instance-action.entity.js';
import { InstanceRow } from './entities/instance.entity.js';
import { InstanceExtraRow } from './entities/instance-extra.entity.js';
import { KeyPairRow } from './entities/key-pair.entity.js';
import { OperationRow } from './entities/operation.entity.js';
import { ServiceRow } from './entities/service.entity.js';
import { Initial1700000000000 } from './migrations/1700000000000-initial.js';
import { ThreeHosts1700000000001 } from './migrations/1700000000001-three-hosts.js';
import { BootImages1700000000004 } from './migrations/1700000000004-boot-images.js';
import { RequestersWithoutProject1700000000011 } from './migrations/1700000000011-requesters-without-project.js';
import { KeyPairs1700000000021 } from './migrations/1700000000021-key-pairs.js';
import { FlavorsAreManaged1700000000022 } from './migrations/1700000000022-flavors-are-managed.js';
import { ServersSayMore1700000000023 } from './migrations/1700000000023-servers-say-more.js';

export interface PoolOptions {
  readonly url: string;
  readonly poolSize: number;
  readonly applicationName: string;
  readonly answerTimeout?: Millis;
}

/** In the order in which they are applied. */
export const MIGRATIONS = [
  Initial1700000000000,
  ThreeHosts1700000000001,
  BootImages1700000000004,
  RequestersWithoutProject1700000000011,
  KeyPairs1700000000021,
  FlavorsAreManaged1700000000022,
  ServersSayMore1700000000023,
];

/** To a new connection, or to one of the pool's that is free. */
export const CONNECT_TIMEOUT_MS = 5_000;
/** How long Postgres may take to answer a statement; after that nobody knows whether it has run. */
export const ANSWER_TIMEOUT_MS = 10_000;
/** Postgres itself breaks off sooner what it can: then it is known, and the connection stays. */
const statementTimeout = (answerTimeout: number): number => Math.ceil(answerTimeout * 0.8);
/** Connections that are kept however long nobody needs them: a new one costs as much as a whole request. */
const KEPT_CONNECTIONS = 2;
const IDLE_CONNECTION_MS = 60_000;

/** Connects when the first statement needs it, and again after a connection was lost. */
export function connectionPool({ url, poolSize, applicationName, ...limits }: PoolOptions): Pool {
  const answerTimeout = limits.answerTimeout ?? ANSWER_TIMEOUT_MS;
  const config: PoolConfig = {
    connectionString: url,
    application_name: applicationName,
    max: poolSize,
    min: Math.min(KEPT_CONNECTIONS, poolSize),
    idleTimeoutMillis: IDLE_CONNECTION_MS,
    connectionTimeoutMillis: Math.min(CONNECT_TIMEOUT_MS, answerTimeout),
    query_timeout: answerTimeout,
    statement_timeout: statementTimeout(answerTimeout),
    // The locks of a process that stands still in the middle of a transaction must not hold up the others.
    idle_in_transaction_session_timeout: answerTimeout,
    keepAlive: true,
  };
  const pool = new Pool(config);
  // A connection that dies while it is idle is taken out by the pool; the next statement opens another.
  pool.on('error', nothing);
  return pool;
}

const nothing = () => undefined;
/** What went wrong is thrown; TypeORM would print some of it as well. */
const SILENT: Logger = {
  log: nothing,
  logMigration: nothing,
  logQuery: nothing,
  logQueryError: nothing,
  logQuerySlow: nothing,
  logSchemaBuild: nothing,
};

const SCHEMA = {
  type: 'postgres',
  synchronize: false,
  installExtensions: false,
  logging: false,
  logger: SILENT,
  migrationsTableName: 'migration',
  migrations: MIGRATIONS,
  entities: [
    BlockDeviceMappingRow,
    ExternalEventRow,
    FlavorRow,
    InstanceActionEventRow,
    InstanceActionRow,
    InstanceExtraRow,
    InstanceRow,
    KeyPairRow,
    OperationRow,
    ServiceRow,
  ],
} as const;

/** Entities over `pool`. TypeORM borrows connections of it; it may come and go (initialize, destroy) and the pool stays. */
export function dataSourceOver(pool: Pool): DataSource {
  const borrowing = {
    connect: pool.connect.bind(pool),
    on: nothing,
    end: (done: () => void) => {
      done();
    },
  };
  const driver = {
    Pool: function () {
      return borrowing;
    },
  };
  return new DataSource({ ...SCHEMA, migrations: [...MIGRATIONS], entities: [...SCHEMA.entities], driver });
}

/** With connections of its own, whose statements may take as long as they need. */
export const migratingDataSource = ({ url, poolSize, applicationName }: PoolOptions): DataSource =>
  new DataSource({
    ...SCHEMA,
    migrations: [...MIGRATIONS],
    entities: [...SCHEMA.entities],
    url,
    poolSize,
    applicationName,
    connectTimeoutMS: CONNECT_TIMEOUT_MS,
    extra: { keepAlive: true },
    poolErrorHandler: nothing,
  });
