import { type Log } from '@novella/core';
import { request } from 'undici';
import { z } from 'zod';
import { type Origin } from '../state/records.js';

export interface NovaOptions {
  /** `http://host:port/v2.1` */
  readonly endpoint: string;
  /** What proves us to Nova: `X-Auth-Token`. */
  readonly headers: Readonly<Record<string, string>>;
  readonly log: Log;
}

/** Tells Nova that volumes have grown: once, without retry. Mirrors cinder:compute/nova.py. */
export class NovaEvents {
  private readonly closing = new AbortController();

  constructor(private readonly options: NovaOptions) {}

  /** Ends calls that are on their way. */
  close(): void {
    this.closing.abort();
  }

  /** Whether Nova was told: its own refusal of one event (404, 422 in a 207) counts as told. Never rejects. */
  async volumeExtended(servers: readonly string[], volumeId: string, origin: Origin): Promise<boolean> {
    const { endpoint, headers, log } = this.options;
    const events = servers.map((server) => ({ name: 'volume-extended', server_uuid: server, tag: volumeId }));
    try {
      const answer = await request(`${endpoint}/os-server-external-events`, {
        method: 'POST',
        headers: {
          'user-agent': 'python-novaclient',
          accept: 'application/json',
          'content-type': 'application/json',
          'x-openstack-nova-api-version': '2.51',
          'openstack-api-version': 'compute 2.51',
          'x-openstack-request-id': origin.globalRequestId,
          ...headers,
        },
        body: JSON.stringify({ events }),
        headersTimeout: 120_000,
        bodyTimeout: 30_000,
        signal: this.closing.signal,
      });
      const text = await answer.body.text();
      const told = wasTold(answer.statusCode, text);
      log[told ? 'info' : 'warn']('told nova that a volume has grown', { volumeId, status: answer.statusCode, told });
      return told;
    } catch (error) {
      log.error('could not tell nova that a volume has grown', { volumeId, error });
      return false;
    }
  }
}

const eventsAnswer = z.object({ events: z.array(z.looseObject({ code: z.number() })) });

/** A list in which each event has a code is an answer, whatever the codes say. */
function wasTold(status: number, body: string): boolean {
  if (status >= 400) return false;
  try {
    return eventsAnswer.safeParse(JSON.parse(body)).success;
  } catch {
    return false;
  }
}
