import type { Pool } from 'pg';
import { DataSource } from 'typeorm';

export const database = (pool: Pool): DataSource => new DataSource({ type: 'postgres', extra: { pool } });
