import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Who asks need not act in a project: Keystone has tokens of a domain, of the system, and of nothing. */
export class RequestersWithoutProject1700000000011 implements MigrationInterface {
  readonly name = 'RequestersWithoutProject1700000000011';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`alter table instance_action alter column project_id drop not null`);
    await runner.query(`alter table external_event alter column project_id drop not null`);
  }

  async down(runner: QueryRunner): Promise<void> {
    for (const table of ['instance_action', 'external_event']) {
      await runner.query(`update ${table} set project_id = '' where project_id is null`);
      await runner.query(`alter table ${table} alter column project_id set not null`);
    }
  }
}
