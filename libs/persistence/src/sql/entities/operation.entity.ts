import type {
  ErrorRecord,
  HostName,
  OperationId,
  OperationKind,
  OperationState,
  ServerId,
  VerifiedBy,
  Visible,
  VolumeId,
  WaitingFor,
} from '@novella/core';
import { Column, Entity, PrimaryColumn } from 'typeorm';
import type { TimelineEntry } from '../../records.js';

@Entity('operation')
export class OperationRow {
  @PrimaryColumn('uuid') id!: OperationId;
  @Column('text') kind!: OperationKind;
  @Column('text', { nullable: true }) step!: string | null;
  @Column('uuid') server_id!: ServerId;
  @Column('uuid', { nullable: true }) volume_id!: VolumeId | null;
  @Column('integer') generation!: number;
  @Column('text', { nullable: true }) host!: HostName | null;
  @Column('text') initiator!: 'user' | 'cinder' | 'system';
  @Column('text') state!: OperationState;
  @Column('text', { nullable: true }) waiting_for!: WaitingFor | null;
  @Column('integer', { default: 0 }) attempt!: number;
  @Column('bigint', { nullable: true }) fence!: string | null;
  @Column('integer', { default: 1 }) requested_seq!: number;
  @Column('integer', { default: 0 }) decided_seq!: number;
  /** decided_seq when the present attempt was dispatched. */
  @Column('integer', { default: 0 }) attempt_seq!: number;
  @Column('integer', { default: 1 }) version!: number;
  @Column('integer', { default: 0 }) failures!: number;
  @Column('jsonb') request!: Record<string, string | null>;
  @Column('jsonb', { nullable: true }) error!: ErrorRecord | null;
  @Column('text', { nullable: true }) verified_by!: VerifiedBy | null;
  @Column('text', { nullable: true }) visible!: Visible | null;
  @Column('text', { nullable: true }) claimed_by!: string | null;
  @Column('timestamptz', { nullable: true }) lease_until!: Date | null;
  @Column('timestamptz', { default: () => 'now()' }) created_at!: Date;
  @Column('timestamptz', { nullable: true }) sent_at!: Date | null;
  @Column('timestamptz', { nullable: true }) deadline!: Date | null;
  @Column('timestamptz', { nullable: true }) next_at!: Date | null;
  @Column('timestamptz', { nullable: true }) ended_at!: Date | null;
  @Column('jsonb') timeline!: TimelineEntry[];
  /** Generated: when it is due by its own state, but not before the lease has run out; null when it has ended. */
  @Column({ type: 'timestamptz', nullable: true, insert: false, update: false }) due_at!: Date | null;
}
