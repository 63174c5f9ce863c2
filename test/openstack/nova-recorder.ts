import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';

/** Stands where Nova's API would be: keeps each request that Cinder sends and answers as it is told. */
export interface RecordedRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}
export interface NovaAnswer {
  readonly status: number;
  readonly body: unknown;
}
export interface NovaRecorder {
  /** `http://127.0.0.1:port/v2.1` */
  readonly endpoint: string;
  readonly requests: RecordedRequest[];
  /** For the requests to come, until told otherwise; `'hang-up'` closes the connection instead. */
  answer: (request: RecordedRequest) => Promise<NovaAnswer | 'hang-up'> | NovaAnswer | 'hang-up';
  /** Forgets the requests and answers well again. */
  reset(): void;
  close(): Promise<void>;
}

interface PostedEvents {
  readonly events: readonly object[];
}

/** What Nova answers when it has accepted each event; with another code, when it has refused each. */
export const eventsAnswer = (request: RecordedRequest, code = 200): NovaAnswer => {
  const { events } = JSON.parse(request.body) as PostedEvents;
  const status = code === 200 ? 'completed' : 'failed';
  return { status: code === 200 ? 200 : 207, body: { events: events.map((event) => ({ ...event, status, code })) } };
};

export async function startNovaRecorder(): Promise<NovaRecorder> {
  const server = createServer((incoming, response) => {
    const chunks: Buffer[] = [];
    incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
    incoming.on('end', () => {
      const { method = '', url: path = '', headers } = incoming;
      const request = { method, path, headers, body: Buffer.concat(chunks).toString() };
      recorder.requests.push(request);
      void Promise.resolve(recorder.answer(request)).then((answer) => {
        if (answer === 'hang-up') return void incoming.socket.destroy();
        response.writeHead(answer.status, { 'content-type': 'application/json' }).end(JSON.stringify(answer.body));
      });
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const recorder: NovaRecorder = {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v2.1`,
    requests: [],
    answer: (request) => eventsAnswer(request),
    reset() {
      recorder.requests.length = 0;
      recorder.answer = (request) => eventsAnswer(request);
    },
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
  return recorder;
}
