import { byDevice } from '../devices.js';
import type { Operation } from '../records.js';
import type { OperationFacts } from '../engine-store.js';
import type { Database } from './database.js';
import type { BlockDeviceMappingRow } from './entities/block-device-mapping.entity.js';
import type { InstanceRow } from './entities/instance.entity.js';
import type { ServiceRow } from './entities/service.entity.js';
import { SERVICE_UP } from './hosts.js';
import { OPEN } from './operation-sql.js';
import { type InJson, toInstance, toMapping, toPlacedOn } from './rows.js';

/** Rows of four tables as one document, so that they are of one moment and cost one round trip. */
const FACTS = `
  select to_json(i) as instance,
    (select coalesce(json_agg(m), '[]') from block_device_mapping m
      where m.server_id = i.id and ($4::uuid is null or m.volume_id = $4)) as mappings,
    (select to_jsonb(s) || jsonb_build_object('up', ${SERVICE_UP}) from service s
      where s.binary = 'nova-compute' and s.host = i.host) as service,
    (select coalesce(json_agg(json_build_object('kind', o.kind, 'state', o.state, 'volumeId', o.volume_id)), '[]')
      from operation o where o.server_id = i.id and ${OPEN} and o.id <> $3) as others
  from instance i where i.id = $2`;

interface Facts {
  readonly instance: InJson<InstanceRow>;
  readonly mappings: readonly InJson<BlockDeviceMappingRow>[];
  readonly service: (InJson<ServiceRow> & { readonly up: boolean }) | null;
  readonly others: OperationFacts['others'];
}

export async function operationFacts(db: Database, operation: Operation): Promise<OperationFacts | null> {
  const { id, serverId, volumeId } = operation;
  const [facts] = await db.query<Facts>(FACTS, [db.serviceDownTime, serverId, id, volumeId]);
  if (facts === undefined) return null;
  return {
    instance: toInstance(facts.instance),
    mappings: facts.mappings.map(toMapping).sort(byDevice),
    service: facts.service === null ? null : toPlacedOn(facts.service),
    others: facts.others,
  };
}
