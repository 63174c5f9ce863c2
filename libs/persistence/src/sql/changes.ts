import type { RecordChanges } from '../engine-store.js';
import { TASK_OF_ONE_KIND } from '../transition-facts.js';

/**
 * What changes beside an operation, as further parts of the statement that changes the operation: `changed` holds the
 * operation's new row, or nothing when the caller was raced, and then nothing else is written either. `keepsTask` is a
 * condition on `changed` under which the task state stays.
 */
export const INSTANCE_CHANGE = (parameter: string, keepsTask: string): string => `
  instance_changed as (
    update instance i set
      vm_state = case when c.deleted then 'deleted' else coalesce(c.vm_state, i.vm_state) end,
      task_state = case when c.deleted then null
        when c.sets_task_state and coalesce('${JSON.stringify(TASK_OF_ONE_KIND)}'::jsonb ->> i.task_state, changed.kind) = changed.kind
          and not (${keepsTask}) then c.task_state
        else i.task_state end,
      power_state = coalesce(c.power_state, i.power_state),
      fault = case when c.fault is null then i.fault else c.fault || jsonb_build_object('created', now()) end,
      launched_at = case when c.launched then coalesce(i.launched_at, now()) else i.launched_at end,
      deleted_at = case when c.deleted then coalesce(i.deleted_at, now()) else i.deleted_at end,
      terminated_at = case when c.deleted then coalesce(i.terminated_at, now()) else i.terminated_at end,
      updated_at = now()
    from changed, jsonb_to_record(${parameter}::jsonb) as c(vm_state text, sets_task_state boolean, task_state text,
      power_state text, fault jsonb, launched boolean, deleted boolean)
    where i.id = changed.server_id
  )`;

export function instanceChange(change: NonNullable<RecordChanges['instance']>): string {
  return JSON.stringify({
    vm_state: change.vmState,
    sets_task_state: change.taskState !== undefined,
    task_state: change.taskState,
    power_state: change.powerState,
    fault: change.fault,
    launched: change.launched ?? false,
    deleted: change.deleted ?? false,
  });
}

/**
 * `verdict` says what the end of an extend means for its own mapping: `refused` remembers what was wanted and what the
 * host could do, `cleared` forgets it, null leaves it.
 */
export const MAPPING_CHANGES = (changes: string, verdict: string): string => `
  mapping_targets as (
    select m.id, c.attachment_id, c.sets_connection, c.connection,
      c.sets_sealed_secret, c.sealed_secret, c.size_gib, c.wanted_bytes, c.overhead_bytes,
      c.host_bytes,
      c.sets_guest_bytes, c.guest_bytes, c.attached, c.removed,
      case when m.volume_id = changed.volume_id then ${verdict}::text end as verdict,
      (select s.capabilities from service s where ${verdict}::text = 'refused' and s.binary = 'nova-compute'
        and s.host = (select i.host from instance i where i.id = changed.server_id)) as capabilities
    from changed
    join block_device_mapping m on m.server_id = changed.server_id
    left join jsonb_to_recordset(${changes}::jsonb) as c(id uuid, attachment_id uuid, sets_connection boolean,
      connection jsonb, sets_sealed_secret boolean, sealed_secret text, size_gib integer, wanted_bytes bigint,
      overhead_bytes bigint, host_bytes bigint, sets_guest_bytes boolean,
      guest_bytes bigint, attached boolean, removed boolean) on c.id = m.id
    where c.id is not null or (m.volume_id = changed.volume_id and ${verdict}::text is not null)
  ), mappings_changed as (
    update block_device_mapping m set
      attachment_id = coalesce(t.attachment_id, m.attachment_id),
      connection = case when t.sets_connection then t.connection else m.connection end,
      sealed_secret = case when t.sets_sealed_secret then t.sealed_secret else m.sealed_secret end,
      size_gib = coalesce(t.size_gib, m.size_gib),
      wanted_bytes = coalesce(t.wanted_bytes, m.wanted_bytes),
      overhead_bytes = coalesce(t.overhead_bytes, m.overhead_bytes),
      host_bytes = coalesce(t.host_bytes, m.host_bytes),
      guest_bytes = case when t.sets_guest_bytes then t.guest_bytes else m.guest_bytes end,
      attached_at = case when t.attached then coalesce(m.attached_at, now()) else m.attached_at end,
      refused_bytes = case t.verdict when 'refused' then coalesce(t.wanted_bytes, m.wanted_bytes)
        when 'cleared' then null else m.refused_bytes end,
      refused_capabilities = case t.verdict when 'refused' then coalesce(t.capabilities, '[]')
        when 'cleared' then null else m.refused_capabilities end
    from mapping_targets t where m.id = t.id and t.removed is not true
  ), mappings_removed as (
    delete from block_device_mapping m using mapping_targets t where m.id = t.id and t.removed
  )`;

export function mappingChanges(changes: NonNullable<RecordChanges['mappings']>): string {
  return JSON.stringify(
    changes.map((change) => ({
      id: change.id,
      attachment_id: change.attachmentId,
      sets_connection: change.connection !== undefined,
      connection: change.connection,
      sets_sealed_secret: change.sealedSecret !== undefined,
      sealed_secret: change.sealedSecret,
      size_gib: change.size,
      wanted_bytes: change.wantedBytes,
      overhead_bytes: change.overheadBytes,
      host_bytes: change.hostBytes,
      sets_guest_bytes: change.guestBytes !== undefined,
      guest_bytes: change.guestBytes,
      attached: change.attached ?? false,
      removed: change.removed ?? false,
    })),
  );
}
