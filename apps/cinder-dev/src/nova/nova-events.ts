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

export type Told = 'accepted' | 'refused' | 'untold';

/** Tells Nova that volumes have grown: once, without retry. Mirrors cinder:compute/nova.py. */
export class NovaEvents {
  private readonly closing = new AbortController();

  constructor(private readonly options: NovaOptions) {}

  /** Ends calls that are on their way. */
  close(): void {
    this.closing.abort();
  }

  /** `refused`: Nova was told, and has refused one of the events (404, 422 in a 207). Never rejects. */
  async volumeExtended(servers: readonly string[], volumeId: string, origin: Origin): Promise<Told> {
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
      const told = readAnswer(answer.statusCode, text);
      log[told === 'accepted' ? 'info' : 'warn']('told nova that a volume has grown', {
        volumeId,
        status: answer.statusCode,
        told,
      });
      return told;
    } catch (error) {
      log.error('could not tell nova that a volume has grown', { volumeId, error });
      return 'untold';
    }
  }
}

const eventsAnswer = z.object({ events: z.array(z.looseObject({ code: z.number() })) });

/** A list in which each event has a code is an answer, whatever the codes say. */
function readAnswer(status: number, body: string): Told {
  if (status >= 400) return 'untold';
  try {
    const answer = eventsAnswer.safeParse(JSON.parse(body));
    if (!answer.success) return 'untold';
    return answer.data.events.every(({ code }) => code === 200) ? 'accepted' : 'refused';
  } catch {
    return 'untold';
  }
}
