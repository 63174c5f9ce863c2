import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';

/** For specs: an HTTP server that answers each request by the next step of a script, faults of the connection included. */
export type Step = (request: PeerRequest, response: ServerResponse, socket: Socket) => void;
export interface PeerRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
  /** Counts connections, so that a spec can tell a kept one from a new one. */
  readonly connection: number;
}
export interface ScriptedPeer {
  readonly endpoint: string;
  readonly requests: readonly PeerRequest[];
  script(...steps: readonly Step[]): void;
  close(): Promise<void>;
}

export async function startScriptedPeer(): Promise<ScriptedPeer> {
  const requests: PeerRequest[] = [];
  const steps: Step[] = [];
  const connections: Socket[] = [];
  const server = createServer((incoming, response) => {
    void read(incoming).then((body) => {
      const { method = '', url: path = '', headers, socket } = incoming;
      const request = { method, path, headers, body, connection: connections.indexOf(socket) + 1 };
      requests.push(request);
      const step = steps.shift() ?? answer(599, { unexpected: { message: 'the script has ended' } });
      step(request, response, socket);
    });
  });
  server.on('connection', (socket) => connections.push(socket));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v3`,
    requests,
    script: (...next) => void steps.push(...next),
    async close() {
      for (const socket of connections) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}

async function read(incoming: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of incoming) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString();
}

export function answer(status: number, body: unknown, headers: Readonly<Record<string, string>> = {}): Step {
  return (_request, response) => {
    const text = typeof body === 'string' ? body : body === undefined ? '' : JSON.stringify(body);
    response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(text);
  };
}
export const fault = (status: number, name: string, message: string, headers = {}): Step =>
  answer(status, { [name]: { code: status, message } }, headers);

/** Answers, then closes the kept connection without having said so. */
export const answerAndHangUp = (status: number, body: unknown): Step => {
  return (request, response, socket) => {
    response.on('finish', () => setImmediate(() => socket.destroy()));
    answer(status, body)(request, response, socket);
  };
};
export const hangUp: Step = (_request, _response, socket) => void socket.destroy();
export const resetAfterHeaders: Step = (_request, response, socket) => {
  response.writeHead(200, { 'content-type': 'application/json', 'content-length': '1000' });
  response.write('{"volume": {', () => socket.resetAndDestroy());
};
export const cutBody: Step = (_request, response, socket) => {
  response.writeHead(200, { 'content-type': 'application/json', 'content-length': '1000' });
  response.write('{"volume": {}}', () => socket.end());
};
export const silence: Step = () => undefined;
export const headersThenSilence: Step = (_request, response) => {
  response.writeHead(200, { 'content-type': 'application/json', 'content-length': '1000' }).flushHeaders();
};
/** One byte each 20 ms, for ever: no single wait is long. */
export const trickle: Step = (_request, response, socket) => {
  response.writeHead(200, { 'content-type': 'application/json' });
  const timer = setInterval(() => response.write(' '), 20);
  socket.on('close', () => clearInterval(timer));
};
export const notHttp: Step = (_request, _response, socket) => void socket.end('AMQP\0\0\x09\x01 not http\r\n\r\n');
