import type { HostName, OperationId, ProjectId, RequestId, ServerId, UserId } from '@novella/core';
import { Column, Entity, PrimaryColumn } from 'typeorm';

@Entity('instance_action')
export class InstanceActionRow {
  /** Counts in the order in which actions were asked for. */
  @PrimaryColumn('bigint', { default: () => "nextval('instance_action_number')" }) id!: string;
  @Column('uuid') server_id!: ServerId;
  /** null: it needed none. */
  @Column('uuid', { nullable: true }) operation_id!: OperationId | null;
  /** Which request of the operation it is: it ends when decided_seq has reached it. */
  @Column('integer') seq!: number;
  @Column('text') action!: string;
  @Column('text') request_id!: RequestId;
  @Column('text') user_id!: UserId;
  @Column('text', { nullable: true }) project_id!: ProjectId | null;
  @Column('timestamptz', { default: () => 'now()' }) start_time!: Date;
  @Column('timestamptz', { default: () => 'now()' }) updated_at!: Date;
  @Column('timestamptz', { nullable: true }) finished_at!: Date | null;
  @Column('text', { nullable: true }) message!: string | null;
}

@Entity('instance_action_event')
export class InstanceActionEventRow {
  @PrimaryColumn('bigint') action_id!: string;
  @PrimaryColumn('text') event!: string;
  @Column('text', { nullable: true }) host!: HostName | null;
  @Column('timestamptz', { default: () => 'now()' }) start_time!: Date;
  @Column('timestamptz', { nullable: true }) finish_time!: Date | null;
  @Column('text', { nullable: true }) result!: 'Success' | 'Error' | null;
  @Column('text', { nullable: true }) traceback!: string | null;
  @Column('text', { nullable: true }) details!: string | null;
}
