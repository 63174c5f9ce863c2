import type { MigrationInterface, QueryRunner } from 'typeorm';

export class KeyPairs1700000000021 implements MigrationInterface {
  readonly name = 'KeyPairs1700000000021';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`create sequence key_pair_number`);
    await runner.query(`create table key_pair (
      id bigint primary key default nextval('key_pair_number'),
      user_id text collate "C" not null,
      name text collate "C" not null,
      type text not null,
      public_key text not null,
      fingerprint text not null,
      created_at timestamptz not null default now()
    )`);
    await runner.query(`create unique index key_pair_one_name on key_pair (user_id, name)`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`drop table key_pair`);
    await runner.query(`drop sequence key_pair_number`);
  }
}
