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
  Usage,
} from './records.js';
export type { FlavorChange, FlavorStore, ListedFlavor } from './flavor-store.js';
export type { KeyPair, KeyPairStore, NewKeyPair } from './key-pair-store.js';
export {
  type ChangeLimits,
  type InstanceExtra,
  type MetadataChange,
  SERVER_SORT_KEYS,
  type ServerChange,
  type ServerListQuery,
  type ServerPattern,
  type ServerSort,
  type ServerSortKey,
  type ServerStore,
  type TagsChange,
} from './server-store.js';
export type { Requester } from './requester.js';
export { EVERY_PROJECT } from './every-project.js';
export { rootDeviceName } from './server-changes.js';
export type { HostState, OperationFilter, OperatorStore, Standing, Stuck, StuckReason } from './operator-store.js';
export type { ApiStore, NewBlockDeviceMapping, NewInstance, PostedEvent } from './api-store.js';
export type { AttachedVolume, EngineStore, OperationFacts, RecordChanges } from './engine-store.js';
export type { HostStore, ServiceReportInput } from './host-store.js';
export type { Store } from './store.js';
export { type MemoryStore, openMemoryStore } from './memory/memory-store.js';
export { type MemoryStoreOptions } from './memory/tables.js';
export { migrate } from './sql/migrate.js';
export { schemaState, type SchemaState } from './sql/schema-state.js';
export { openSqlStore, type SqlStoreOptions } from './sql/open-sql-store.js';
export { type EmbeddedPostgres, type EmbeddedPostgresOptions, startEmbeddedPostgres } from './embedded-postgres.js';
