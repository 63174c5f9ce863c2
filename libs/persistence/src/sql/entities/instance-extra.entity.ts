import type { ServerId } from '@novella/core';
import { Column, Entity, PrimaryColumn } from 'typeorm';

@Entity('instance_extra')
export class InstanceExtraRow {
  @PrimaryColumn('uuid') server_id!: ServerId;
  @Column('text', { nullable: true }) user_data!: string | null;
  @Column('text', { nullable: true }) key_data!: string | null;
}
