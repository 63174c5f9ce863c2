export type {
  BlockDeviceMapping,
  Capacity,
  Flavor,
  Instance,
  InstanceAction,
  InstanceActionEvent,
  Operation,
  Service,
  TimelineEntry,
} from './records.js';
export type { HostState, OperationFilter, OperatorStore, Standing, Stuck, StuckReason } from './operator-store.js';
export type {
  ApiStore,
  AttachedVolume,
  EngineStore,
  HostStore,
  NewBlockDeviceMapping,
  NewInstance,
  OperationFacts,
  PostedEvent,
  RecordChanges,
  Requester,
  ServerListQuery,
  ServiceReportInput,
  Store,
} from './store.js';
export { type MemoryStore, openMemoryStore } from './memory/memory-store.js';
export { type MemoryStoreOptions } from './memory/tables.js';
export { migrate } from './sql/migrate.js';
export { schemaState, type SchemaState } from './sql/schema-state.js';
export { openSqlStore, type SqlStoreOptions } from './sql/open-sql-store.js';
export { type EmbeddedPostgres, type EmbeddedPostgresOptions, startEmbeddedPostgres } from './embedded-postgres.js';
