import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * Hosts have a key of their own, and what else a host needs to reach a volume is kept sealed to it. A local connection
 * now says its format: those from before are raw, as they were used. A volume that several servers have is extended on
 * one at a time: a hypervisor sets the length of a raw file, and must not set it below what another has set meanwhile.
 */
export class ThreeHosts1700000000001 implements MigrationInterface {
  readonly name = 'ThreeHosts1700000000001';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`alter table service add column public_key text`);
    await runner.query(`alter table block_device_mapping add column sealed_secret text`);
    await runner.query(`create unique index operation_one_extend_dispatched on operation (volume_id)
      where state = 'dispatched' and kind = 'extend'`);
    await runner.query(`create index operation_waiting_for_volume on operation (volume_id)
      where state = 'waiting' and waiting_for = 'server-task'`);
    await runner.query(`update block_device_mapping set connection = connection || '{"format": "raw"}'
      where connection ->> 'protocol' = 'local' and not connection ? 'format'`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`drop index operation_one_extend_dispatched, operation_waiting_for_volume`);
    await runner.query(`alter table service drop column public_key`);
    await runner.query(`alter table block_device_mapping drop column sealed_secret`);
  }
}
