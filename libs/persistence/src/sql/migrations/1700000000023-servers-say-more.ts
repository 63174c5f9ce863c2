import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * What users say of their servers beside what they are made of: names, addresses, tags, locks; what a guest would be given
 * lies apart, for it is large and read seldom. Servers made by one request have the same time, so their number decides.
 */
const COLUMNS = `
  add column hostname text,
  add column reservation_id text,
  add column launch_index integer not null default 0,
  add column access_ip_v4 text,
  add column access_ip_v6 text,
  add column config_drive boolean not null default false,
  add column auto_disk_config boolean not null default false,
  add column kernel_id text not null default '',
  add column ramdisk_id text not null default '',
  add column tags jsonb not null default '[]',
  add column locked_by text,
  add column locked_reason text`;

/** As a new server's host name follows from its name. */
const HOSTNAME = String.raw`coalesce(nullif(trim(both '.-' from lower(regexp_replace(
  regexp_replace(left(name, 63), '[ _.]', '-', 'g'), '[^\w-]+', '', 'g'))), ''), 'Server-' || id)`;

export class ServersSayMore1700000000023 implements MigrationInterface {
  readonly name = 'ServersSayMore1700000000023';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`alter table instance ${COLUMNS}`);
    await runner.query(`update instance set hostname = ${HOSTNAME}, reservation_id = 'r-' || left(id::text, 8)`);
    await runner.query(
      `alter table instance alter column hostname set not null, alter column reservation_id set not null`,
    );
    await runner.query(`create table instance_extra (
      server_id uuid primary key references instance (id) on delete cascade,
      user_data text,
      key_data text
    )`);
    await runner.query(`drop index instance_newest, instance_newest_of_project`);
    await runner.query(`create index instance_newest on instance (created_at desc, number desc)
      where deleted_at is null`);
    await runner.query(`create index instance_newest_of_project on instance (project_id, created_at desc, number desc)
      where deleted_at is null`);
    // A lock is done when it is written, and needs no operation.
    await runner.query(`alter table instance_action alter column operation_id drop not null`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`delete from instance_action where operation_id is null`);
    await runner.query(`alter table instance_action alter column operation_id set not null`);
    await runner.query(`drop index instance_newest, instance_newest_of_project`);
    await runner.query(`create index instance_newest on instance (created_at desc, id desc) where deleted_at is null`);
    await runner.query(`create index instance_newest_of_project on instance (project_id, created_at desc, id desc)
      where deleted_at is null`);
    await runner.query(`drop table instance_extra`);
    await runner.query(`alter table instance ${COLUMNS.replaceAll(/add column (\w+)[^,]*/g, 'drop column $1')}`);
  }
}
