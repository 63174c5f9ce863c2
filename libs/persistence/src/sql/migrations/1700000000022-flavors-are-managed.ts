import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Flavors have a name each; of those that had the same, all but the first get their id beside it. */
export class FlavorsAreManaged1700000000022 implements MigrationInterface {
  readonly name = 'FlavorsAreManaged1700000000022';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`create sequence flavor_number`);
    await runner.query(`alter table flavor
      add column number bigint not null default nextval('flavor_number'),
      add column rxtx_factor double precision not null default 1,
      add column projects jsonb not null default '[]'`);
    await runner.query(`update flavor f set name = f.name || ' (' || f.id || ')'
      where exists (select from flavor o where o.name = f.name and o.id < f.id)`);
    await runner.query(`create unique index flavor_one_name on flavor (name)`);
    await runner.query(`update instance set flavor = flavor || '{"rxtxFactor": 1}'`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`drop index flavor_one_name`);
    await runner.query(`alter table flavor drop column number, drop column rxtx_factor, drop column projects`);
    await runner.query(`drop sequence flavor_number`);
  }
}
