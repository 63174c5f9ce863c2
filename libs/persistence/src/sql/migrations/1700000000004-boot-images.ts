import type { MigrationInterface, QueryRunner } from 'typeorm';

/** What a server boots from is kept as it was when the server was created. */
export class BootImages1700000000004 implements MigrationInterface {
  readonly name = 'BootImages1700000000004';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`alter table instance add column boot_images jsonb`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`alter table instance drop column boot_images`);
  }
}
