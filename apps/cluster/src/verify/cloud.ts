import { z } from 'zod';
import { PROJECT, TOKEN } from '../identity.js';

/** A part that is frozen answers when it goes on; one that was killed never will. */
const ANSWER_LIMIT_MS = 30_000;

export interface Answer {
  readonly status: number;
  readonly requestId: string;
  readonly text: string;
}

const serverBody = z.object({ server: z.looseObject({ id: z.string() }) });
const serverDetail = z.object({
  server: z.looseObject({ status: z.string(), 'OS-EXT-SRV-ATTR:host': z.string().nullable() }),
});
const volumeBody = z.object({ volume: z.looseObject({ id: z.string(), status: z.string(), size: z.number() }) });
const eventsBody = z.object({ events: z.array(z.looseObject({ code: z.number() })) });
const actionBody = z.object({
  instanceAction: z.looseObject({
    events: z.array(
      z.looseObject({
        result: z.enum(['Success', 'Error']).nullable(),
        finish_time: z.string().nullable(),
        details: z.string().nullable(),
      }),
    ),
  }),
});

export interface PostedAnswer {
  readonly requestId: string;
  readonly status: number;
  /** By event, when there was a list. */
  readonly codes: readonly number[] | null;
}

export interface SeenEnding {
  readonly result: 'Success' | 'Error';
  readonly finishedAt: number;
  readonly details: string | null;
}

/** Nova and Cinder over HTTP, as an operator and Cinder itself see them. */
export class Cloud {
  constructor(
    private readonly novaUrl: string,
    private readonly cinderUrl: string,
  ) {}

  async createServer(name: string, imageRef: string): Promise<string> {
    const body = { server: { name, imageRef, flavorRef: '84', networks: 'none' } };
    return serverBody.parse(await this.must('nova', 'POST', '/servers', body)).server.id;
  }

  async server(id: string): Promise<{ status: string; host: string | null }> {
    const { server } = serverDetail.parse(await this.must('nova', 'GET', `/servers/${id}`));
    return { status: server.status, host: server['OS-EXT-SRV-ATTR:host'] };
  }

  async createVolume(sizeGib: number): Promise<string> {
    return volumeBody.parse(await this.must('cinder', 'POST', '/volumes', { volume: { size: sizeGib } })).volume.id;
  }

  async attach(server: string, volume: string): Promise<void> {
    const body = { volumeAttachment: { volumeId: volume } };
    await this.must('nova', 'POST', `/servers/${server}/os-volume_attachments`, body);
  }

  /** null while Cinder does not answer. */
  async volume(id: string): Promise<{ status: string; size: number } | null> {
    const answer = await this.ask('cinder', 'GET', `/volumes/${id}`);
    return answer?.status === 200 ? volumeBody.parse(JSON.parse(answer.text)).volume : null;
  }

  /** Whether it was taken or not: look at the volume. */
  async askToExtend(volume: string, sizeGib: number): Promise<void> {
    await this.ask('cinder', 'POST', `/volumes/${volume}/action`, { 'os-extend': { new_size: sizeGib } });
  }

  /** As Cinder tells that volumes have grown. null: no answer came, and they may have been stored. */
  async postExtended(events: readonly { server: string; volume: string }[]): Promise<PostedAnswer | null> {
    const list = events.map(({ server, volume }) => ({ name: 'volume-extended', server_uuid: server, tag: volume }));
    const answer = await this.ask('nova', 'POST', '/os-server-external-events', { events: list });
    if (answer === null) return null;
    const { status, requestId, text } = answer;
    if (status !== 200 && status !== 207) return { status, requestId, codes: null };
    return { status, requestId, codes: eventsBody.parse(JSON.parse(text)).events.map(({ code }) => code) };
  }

  /** How the action of that request has ended; `open` before, `missing` when there is no such action. */
  async ending(server: string, requestId: string): Promise<SeenEnding | 'open' | 'missing' | 'no answer'> {
    const answer = await this.ask('nova', 'GET', `/servers/${server}/os-instance-actions/${requestId}`);
    if (answer?.status === 404) return 'missing';
    if (answer?.status !== 200) return 'no answer';
    const [event] = actionBody.parse(JSON.parse(answer.text)).instanceAction.events;
    const { result = null, finish_time: finished = null, details = null } = event ?? {};
    if (result === null || finished === null) return 'open';
    return { result, finishedAt: Date.parse(`${finished}Z`), details };
  }

  private async must(service: 'nova' | 'cinder', method: string, path: string, body?: object): Promise<unknown> {
    const answer = await this.ask(service, method, path, body);
    if (answer !== null && answer.status < 300) return answer.text === '' ? null : JSON.parse(answer.text);
    throw new Error(
      `${method} ${path} was answered ${answer === null ? 'nothing' : `${answer.status}: ${answer.text}`}`,
    );
  }

  /** null: nobody listened, the connection was cut, or no answer came in time. */
  private async ask(service: 'nova' | 'cinder', method: string, path: string, body?: object): Promise<Answer | null> {
    const base = service === 'nova' ? this.novaUrl : `${this.cinderUrl}/${PROJECT}`;
    try {
      const response = await fetch(base + path, {
        method,
        headers: {
          'X-Auth-Token': TOKEN,
          'OpenStack-API-Version': service === 'nova' ? 'compute 2.96' : 'volume 3.44',
          ...(body === undefined ? {} : { 'Content-Type': 'application/json' }),
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        signal: AbortSignal.timeout(ANSWER_LIMIT_MS),
      });
      const requestId = response.headers.get('x-openstack-request-id') ?? '';
      return { status: response.status, requestId, text: await response.text() };
    } catch {
      return null;
    }
  }
}
