import type { HostName } from '@novella/core';
import { Column, Entity, PrimaryColumn } from 'typeorm';
import type { Capacity } from '../../records.js';

@Entity('service')
export class ServiceRow {
  @PrimaryColumn('uuid') id!: string;
  @Column('text') host!: HostName;
  @Column('text') binary!: 'nova-compute' | 'nova-conductor';
  @Column('text') version!: string;
  @Column('jsonb') capabilities!: string[];
  @Column('jsonb') connector_properties!: Record<string, unknown>;
  @Column('text', { nullable: true }) public_key!: string | null;
  @Column('jsonb') hypervisor!: { type: string; version: string; hostname: string };
  @Column('jsonb') capacity!: Capacity;
  @Column('timestamptz', { default: () => 'now()' }) last_report_at!: Date;
  /** The host said that it goes down, or was forced down until now: not up before its next report. */
  @Column('boolean', { default: false }) stopped!: boolean;
  @Column('boolean', { default: false }) disabled!: boolean;
  @Column('text', { nullable: true }) disabled_reason!: string | null;
  @Column('boolean', { default: false }) forced_down!: boolean;
}
