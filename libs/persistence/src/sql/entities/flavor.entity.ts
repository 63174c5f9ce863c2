import type { ProjectId } from '@novella/core';
import { Column, Entity, PrimaryColumn } from 'typeorm';

/** Entities are rows as they lie in the table: a property has its column's name, a bigint is text. */
@Entity('flavor')
export class FlavorRow {
  @PrimaryColumn('text') id!: string;
  /** Counts in the order in which flavors were made. */
  @Column('bigint', { default: () => "nextval('flavor_number')" }) number!: string;
  @Column('text') name!: string;
  @Column('integer') vcpus!: number;
  @Column('integer') memory_mib!: number;
  @Column('integer') root_gib!: number;
  @Column('integer') ephemeral_gib!: number;
  @Column('integer') swap_mib!: number;
  @Column('double precision', { default: 1 }) rxtx_factor!: number;
  @Column('boolean') is_public!: boolean;
  @Column('boolean') disabled!: boolean;
  @Column('text', { nullable: true }) description!: string | null;
  @Column('jsonb') extra_specs!: Record<string, string>;
  /** Those that may use it although it is not public. */
  @Column('jsonb', { default: [] }) projects!: ProjectId[];
}
