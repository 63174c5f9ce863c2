import { Column, Entity, PrimaryColumn } from 'typeorm';

/** Entities are rows as they lie in the table: a property has its column's name, a bigint is text. */
@Entity('flavor')
export class FlavorRow {
  @PrimaryColumn('text') id!: string;
  @Column('text') name!: string;
  @Column('integer') vcpus!: number;
  @Column('integer') memory_mib!: number;
  @Column('integer') root_gib!: number;
  @Column('integer') ephemeral_gib!: number;
  @Column('integer') swap_mib!: number;
  @Column('boolean') is_public!: boolean;
  @Column('boolean') disabled!: boolean;
  @Column('text', { nullable: true }) description!: string | null;
  @Column('jsonb') extra_specs!: Record<string, string>;
}
