import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * Everything of design rule 6 that the database itself guarantees is here: one open operation per (server, volume or
 * none, kind), one dispatched per (server, volume or none). Ids are made by us, so no extension is needed.
 * A migration that has been released is never edited.
 */
const volumeKey = `coalesce(volume_id, '00000000-0000-0000-0000-000000000000'::uuid)`;
const open = `state in ('queued', 'waiting', 'dispatched')`;

const TABLES = [
  `create sequence instance_number`,
  `create sequence operation_fence`,
  `create sequence instance_action_number`,
  `create sequence external_event_number`,
  `create table flavor (
    id text collate "C" primary key,
    name text not null,
    vcpus integer not null,
    memory_mib integer not null,
    root_gib integer not null,
    ephemeral_gib integer not null,
    swap_mib integer not null,
    is_public boolean not null,
    disabled boolean not null,
    description text,
    extra_specs jsonb not null
  )`,
  `create table instance (
    id uuid primary key,
    number bigint not null default nextval('instance_number'),
    project_id text not null,
    user_id text not null,
    name text not null,
    description text,
    flavor jsonb not null,
    image_ref text,
    disk_bus text not null,
    metadata jsonb not null,
    availability_zone text,
    key_name text,
    vm_state text not null,
    task_state text,
    power_state text not null,
    host text collate "C",
    generation integer not null default 0,
    placed_vcpus integer not null default 0,
    placed_memory_mib integer not null default 0,
    placed_disk_gib integer not null default 0,
    fault jsonb,
    launched_at timestamptz,
    terminated_at timestamptz,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    deleted_at timestamptz
  )`,
  `create table block_device_mapping (
    id uuid primary key,
    server_id uuid not null references instance (id),
    volume_id uuid not null,
    attachment_id uuid,
    connection jsonb,
    device text collate "C" not null,
    bus text not null,
    boot_index integer,
    tag text,
    delete_on_termination boolean not null,
    multiattach boolean not null,
    size_gib integer not null,
    wanted_bytes bigint not null,
    host_bytes bigint,
    guest_bytes bigint,
    overhead_bytes bigint not null default 0,
    refused_bytes bigint,
    refused_capabilities jsonb,
    attached_at timestamptz,
    created_at timestamptz not null default now()
  )`,
  `create table service (
    id uuid primary key,
    host text collate "C" not null,
    "binary" text not null,
    version text not null,
    capabilities jsonb not null,
    connector_properties jsonb not null,
    hypervisor jsonb not null,
    capacity jsonb not null,
    last_report_at timestamptz not null default now(),
    stopped boolean not null default false,
    disabled boolean not null default false,
    disabled_reason text,
    forced_down boolean not null default false
  )`,
  `create table operation (
    id uuid primary key,
    kind text not null,
    step text,
    server_id uuid not null references instance (id),
    volume_id uuid,
    generation integer not null,
    host text collate "C",
    initiator text not null,
    state text not null,
    waiting_for text,
    attempt integer not null default 0,
    fence bigint,
    requested_seq integer not null default 1,
    decided_seq integer not null default 0,
    attempt_seq integer not null default 0,
    version integer not null default 1,
    failures integer not null default 0,
    request jsonb not null,
    error jsonb,
    verified_by text,
    visible text,
    claimed_by text,
    lease_until timestamptz,
    created_at timestamptz not null default now(),
    sent_at timestamptz,
    deadline timestamptz,
    next_at timestamptz,
    ended_at timestamptz,
    timeline jsonb not null,
    -- greatest passes over nulls: a lease counts only while there is one
    due_at timestamptz generated always as (
      case state
        when 'queued' then greatest(created_at, lease_until)
        when 'waiting' then greatest(next_at, lease_until)
        when 'dispatched' then greatest(deadline, lease_until)
      end
    ) stored
  )`,
  `create table instance_action (
    id bigint primary key default nextval('instance_action_number'),
    server_id uuid not null references instance (id),
    operation_id uuid not null references operation (id),
    seq integer not null,
    action text not null,
    request_id text collate "C" not null,
    user_id text not null,
    project_id text not null,
    start_time timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    finished_at timestamptz,
    message text
  )`,
  `create table instance_action_event (
    action_id bigint not null references instance_action (id) on delete cascade,
    event text collate "C" not null,
    host text,
    start_time timestamptz not null default now(),
    finish_time timestamptz,
    result text,
    traceback text,
    details text,
    primary key (action_id, event)
  )`,
  `create table external_event (
    id bigint primary key default nextval('external_event_number'),
    request_id text not null,
    user_id text not null,
    project_id text not null,
    server_id text not null,
    name text not null,
    status text not null,
    tag text,
    code integer not null,
    operation_id uuid,
    created_at timestamptz not null default now()
  )`,
];

const INDEXES = [
  `create index instance_newest on instance (created_at desc, id desc) where deleted_at is null`,
  `create index instance_newest_of_project on instance (project_id, created_at desc, id desc) where deleted_at is null`,
  `create index instance_on_host on instance (host)
    include (placed_vcpus, placed_memory_mib, placed_disk_gib) where deleted_at is null and host is not null`,
  `create unique index block_device_mapping_one_volume on block_device_mapping (server_id, volume_id)`,
  `create unique index block_device_mapping_one_device on block_device_mapping (server_id, device)`,
  `create unique index service_one_per_host on service ("binary", host)`,
  `create unique index operation_one_open on operation (server_id, ${volumeKey}, kind) where ${open}`,
  `create unique index operation_one_dispatched on operation (server_id, ${volumeKey}) where state = 'dispatched'`,
  `create index operation_due on operation (due_at) where ${open}`,
  `create index operation_newest on operation (created_at desc, id desc)`,
  `create index operation_of_server on operation (server_id, created_at desc, id desc)`,
  `create unique index instance_action_one_request on instance_action (server_id, request_id)`,
  `create index instance_action_of_operation on instance_action (operation_id, seq)`,
];

export class Initial1700000000000 implements MigrationInterface {
  readonly name = 'Initial1700000000000';

  async up(runner: QueryRunner): Promise<void> {
    for (const statement of [...TABLES, ...INDEXES]) await runner.query(statement);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`drop table external_event, instance_action_event, instance_action, operation, service,
      block_device_mapping, instance, flavor`);
    await runner.query(`drop sequence external_event_number, instance_action_number, operation_fence, instance_number`);
  }
}
