import { waitUntil } from '@novella/testing';
import pg from 'pg';

export interface Recorded {
  readonly request: string;
  /** Null when the action has not ended. */
  readonly result: string | null;
  readonly details: string | null;
  readonly state: string;
}

/** What Postgres has of accepted events, by the ids of their requests: what it was told, and how the operation ended. */
export class Records {
  constructor(private readonly url: () => string) {}

  /** The requests of events that are on record as accepted, with an operation. */
  async accepted(): Promise<string[]> {
    const rows = await this.query<{ request: string }>(
      `select v.request_id as request from external_event v join operation o on o.id = v.operation_id
       where v.code = 200 order by v.id`,
    );
    return rows.map(({ request }) => request);
  }

  /** How each request's action ended; resolves when no operation is open. */
  async ends(timeout: number): Promise<Recorded[]> {
    const open = () => this.query(`select from operation where ended_at is null`);
    await waitUntil(async () => (await open()).length === 0, { what: 'all operations to end', timeout, every: 100 });
    return this.query<Recorded>(
      `select a.request_id as request, e.result, e.details, o.state from instance_action a
       join operation o on o.id = a.operation_id left join instance_action_event e on e.action_id = a.id
       where a.action = 'extend_volume'`,
    );
  }

  /** A connection of its own each time: Postgres comes and goes. */
  async query<Row extends pg.QueryResultRow>(text: string, values: readonly unknown[] = []): Promise<Row[]> {
    const client = new pg.Client({ connectionString: this.url() });
    client.on('error', () => undefined);
    await client.connect();
    try {
      return (await client.query<Row>(text, [...values])).rows;
    } finally {
      await client.end();
    }
  }
}
