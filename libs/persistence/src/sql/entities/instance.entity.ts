import type { BootImages, PowerState, ProjectId, ServerId, TaskState, UserId, VmState, HostName } from '@novella/core';
import { Column, Entity, PrimaryColumn } from 'typeorm';
import type { Flavor } from '../../records.js';

@Entity('instance')
export class InstanceRow {
  @PrimaryColumn('uuid') id!: ServerId;
  @Column('bigint', { default: () => "nextval('instance_number')" }) number!: string;
  @Column('text') project_id!: ProjectId;
  @Column('text') user_id!: UserId;
  @Column('text') name!: string;
  @Column('text', { nullable: true }) description!: string | null;
  @Column('jsonb') flavor!: Flavor;
  @Column('text', { nullable: true }) image_ref!: string | null;
  @Column('jsonb', { nullable: true }) boot_images!: BootImages | null;
  @Column('text') disk_bus!: 'virtio' | 'scsi';
  @Column('jsonb') metadata!: Record<string, string>;
  @Column('text', { nullable: true }) availability_zone!: string | null;
  @Column('text', { nullable: true }) key_name!: string | null;
  @Column('text') hostname!: string;
  @Column('text') reservation_id!: string;
  @Column('integer', { default: 0 }) launch_index!: number;
  @Column('text', { nullable: true }) access_ip_v4!: string | null;
  @Column('text', { nullable: true }) access_ip_v6!: string | null;
  @Column('boolean', { default: false }) config_drive!: boolean;
  @Column('boolean', { default: false }) auto_disk_config!: boolean;
  @Column('text', { default: '' }) kernel_id!: string;
  @Column('text', { default: '' }) ramdisk_id!: string;
  @Column('jsonb', { default: [] }) tags!: string[];
  @Column('text', { nullable: true }) locked_by!: 'owner' | 'admin' | null;
  @Column('text', { nullable: true }) locked_reason!: string | null;
  @Column('text') vm_state!: VmState;
  @Column('text', { nullable: true }) task_state!: TaskState | null;
  @Column('text') power_state!: PowerState;
  @Column('text', { nullable: true }) host!: HostName | null;
  @Column('integer', { default: 0 }) generation!: number;
  /** What `place` has taken of the host. */
  @Column('integer', { default: 0 }) placed_vcpus!: number;
  @Column('integer', { default: 0 }) placed_memory_mib!: number;
  @Column('integer', { default: 0 }) placed_disk_gib!: number;
  @Column('jsonb', { nullable: true }) fault!: {
    code: number;
    message: string;
    details: string;
    created: string;
  } | null;
  @Column('timestamptz', { nullable: true }) launched_at!: Date | null;
  @Column('timestamptz', { nullable: true }) terminated_at!: Date | null;
  @Column('timestamptz', { default: () => 'now()' }) created_at!: Date;
  @Column('timestamptz', { default: () => 'now()' }) updated_at!: Date;
  @Column('timestamptz', { nullable: true }) deleted_at!: Date | null;
}
