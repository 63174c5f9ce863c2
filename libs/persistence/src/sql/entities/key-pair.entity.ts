import type { UserId } from '@novella/core';
import { Column, Entity, PrimaryColumn } from 'typeorm';

@Entity('key_pair')
export class KeyPairRow {
  @PrimaryColumn('bigint', { default: () => "nextval('key_pair_number')" }) id!: string;
  @Column('text') user_id!: UserId;
  @Column('text') name!: string;
  @Column('text') type!: 'ssh' | 'x509';
  @Column('text') public_key!: string;
  @Column('text') fingerprint!: string;
  @Column('timestamptz', { default: () => 'now()' }) created_at!: Date;
}
