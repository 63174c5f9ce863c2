import type { OperationId, ProjectId, RequestId, UserId } from '@novella/core';
import { Column, Entity, PrimaryColumn } from 'typeorm';

/** What was posted and what we answered. The server's id is text: it need not be a server of ours. */
@Entity('external_event')
export class ExternalEventRow {
  @PrimaryColumn('bigint', { default: () => "nextval('external_event_number')" }) id!: string;
  @Column('text') request_id!: RequestId;
  @Column('text') user_id!: UserId;
  @Column('text', { nullable: true }) project_id!: ProjectId | null;
  @Column('text') server_id!: string;
  @Column('text') name!: string;
  @Column('text') status!: string;
  @Column('text', { nullable: true }) tag!: string | null;
  @Column('integer') code!: number;
  @Column('uuid', { nullable: true }) operation_id!: OperationId | null;
  @Column('timestamptz', { default: () => 'now()' }) created_at!: Date;
}
