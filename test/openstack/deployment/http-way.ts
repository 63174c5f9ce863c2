import { Agent, createServer, type IncomingMessage, request, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';

/** What becomes of requests on a way. The first rule that fits counts; without one a request goes through. */
export const wayRule = z.object({
  method: z.enum(['GET', 'POST', 'PUT', 'DELETE']).optional(),
  /** Part of the path or of the body; every request unless given. */
  has: z.string().optional(),
  /** So many requests, then the rule is over; without end unless given. */
  times: z.number().int().positive().optional(),
  /**
   * answer: with this status, and no body unless given; nothing reaches the target. slow: goes through after `ms`. twice:
   * goes through two times, and the second answer is told. lost: the caller is answered as if it had gone through, and it
   * has not.
   */
  does: z.discriminatedUnion('what', [
    z.object({ what: z.literal('answer'), status: z.number().int(), body: z.string().optional() }),
    z.object({ what: z.literal('slow'), ms: z.number().int() }),
    z.object({ what: z.literal('twice') }),
    z.object({ what: z.literal('lost'), body: z.string() }),
  ]),
});
export type WayRule = z.output<typeof wayRule>;

/** Plain HTTP on a port of the loopback, in front of a service of the deployment, whose requests rules can befall. */
export class HttpWay {
  private rules: Held[] = [];
  private readonly sockets = new Set<Socket>();
  private readonly agent = new Agent({ keepAlive: true });
  private readonly server = createServer((incoming, response) => {
    this.serve(incoming, response).catch(() => response.destroy());
  });

  private constructor(private readonly target: URL) {}

  static async open(port: number, target: string): Promise<HttpWay> {
    const way = new HttpWay(new URL(target));
    way.server.on('connection', (socket) => {
      way.sockets.add(socket);
      socket.on('error', () => undefined).on('close', () => way.sockets.delete(socket));
    });
    await new Promise<void>((resolve, reject) => {
      way.server.once('error', reject).listen(port, '127.0.0.1', resolve);
    });
    return way;
  }

  /** In place of the rules before. */
  set(rules: readonly WayRule[]): void {
    this.rules = rules.map((rule) => ({ ...rule, met: 0, answered: 0 }));
  }

  /** How many requests each rule has met, and how many of those were answered. */
  get counts(): { met: number; answered: number }[] {
    return this.rules.map(({ met, answered }) => ({ met, answered }));
  }

  async close(): Promise<void> {
    const closed = new Promise((resolve) => this.server.close(resolve));
    for (const socket of this.sockets) socket.destroy();
    this.agent.destroy();
    await closed;
  }

  private async serve(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await bodyOf(incoming);
    const forward = () => this.forward(incoming, body);
    const rule = this.ruleFor(incoming, body);
    if (rule !== undefined) {
      rule.met += 1;
      response.once('close', () => (rule.answered += 1));
    }
    switch (rule?.does.what) {
      case 'answer':
        tell(response, { status: rule.does.status, headers: JSON_TYPE, body: Buffer.from(rule.does.body ?? '') });
        return;
      case 'lost':
        tell(response, { status: 200, headers: JSON_TYPE, body: Buffer.from(rule.does.body) });
        return;
      case 'slow':
        await sleep(rule.does.ms);
        break;
      case 'twice':
        await forward();
        break;
      case undefined:
    }
    tell(response, await forward());
  }

  private ruleFor({ method, url = '' }: IncomingMessage, body: Buffer) {
    const fits = (rule: Held): boolean =>
      (rule.method === undefined || rule.method === method) &&
      (rule.has === undefined || url.includes(rule.has) || body.includes(rule.has)) &&
      (rule.times === undefined || rule.met < rule.times);
    return this.rules.find(fits);
  }

  private forward({ method, url, headers }: IncomingMessage, body: Buffer): Promise<Answer> {
    const { hostname: host, port } = this.target;
    return new Promise((resolve, reject) => {
      const outgoing = request({ host, port, method, path: url, headers, agent: this.agent });
      outgoing.once('error', reject).once('response', (answer) => {
        bodyOf(answer).then((text) => {
          resolve({ status: answer.statusCode ?? 502, headers: answer.headers, body: text });
        }, reject);
      });
      outgoing.end(body);
    });
  }
}

type Held = WayRule & { met: number; answered: number };

interface Answer {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  readonly body: Buffer;
}

const JSON_TYPE = { 'content-type': 'application/json' };

function tell(response: ServerResponse, { status, headers, body }: Answer): void {
  const { 'transfer-encoding': _chunks, connection: _connection, ...rest } = headers;
  response.writeHead(status, { ...rest, 'content-length': body.length }).end(body);
}

async function bodyOf(message: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of message) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}
