import type { AttachmentId, BlockDeviceMappingId, ConnectionInfo, ServerId, VolumeId } from '@novella/core';
import { Column, Entity, PrimaryColumn } from 'typeorm';

@Entity('block_device_mapping')
export class BlockDeviceMappingRow {
  @PrimaryColumn('uuid') id!: BlockDeviceMappingId;
  @Column('uuid') server_id!: ServerId;
  @Column('uuid') volume_id!: VolumeId;
  @Column('uuid', { nullable: true }) attachment_id!: AttachmentId | null;
  @Column('jsonb', { nullable: true }) connection!: ConnectionInfo | null;
  @Column('text', { nullable: true }) sealed_secret!: string | null;
  @Column('text') device!: string;
  @Column('text') bus!: 'virtio' | 'scsi';
  @Column('integer', { nullable: true }) boot_index!: number | null;
  @Column('text', { nullable: true }) tag!: string | null;
  @Column('boolean') delete_on_termination!: boolean;
  @Column('boolean') multiattach!: boolean;
  @Column('integer') size_gib!: number;
  @Column('bigint') wanted_bytes!: string;
  @Column('bigint', { nullable: true }) host_bytes!: string | null;
  @Column('bigint', { nullable: true }) guest_bytes!: string | null;
  @Column('bigint', { default: 0 }) overhead_bytes!: string;
  /** What the last extend was refused for, with what the host could do then; null when it was not. */
  @Column('bigint', { nullable: true }) refused_bytes!: string | null;
  @Column('jsonb', { nullable: true }) refused_capabilities!: string[] | null;
  @Column('timestamptz', { nullable: true }) attached_at!: Date | null;
  @Column('timestamptz', { default: () => 'now()' }) created_at!: Date;
}
