import { Agent, createServer, type IncomingMessage, request, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { type CinderCall, type Named, namedCall } from './cinder-calls.js';

/** What a fault does with a request of ours: it answers, or not; before or after Cinder has carried the request out. */
export type CinderFault = (exchange: Exchange) => Promise<void> | void;

export interface Exchange {
  readonly call: Named;
  /** What the caller has shown as `X-Auth-Token`. */
  readonly token: string;
  readonly response: ServerResponse;
  readonly socket: Socket;
  /** Lets Cinder carry the request out; its answer is the fault's to pass on. */
  readonly forward: () => Promise<CinderAnswer>;
}

export interface CinderAnswer {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  readonly text: string;
}

/** Who asks: nova-api in a user's name, or the conductor in the service's. */
export type Caller = 'user' | 'service';

export interface Rule {
  readonly by: Caller;
  readonly call: CinderCall;
  /** The volume that the call is about, itself or by its attachment. */
  readonly volume: string;
  readonly fault: CinderFault;
}

/** A rule that holds, until it is ended. */
export interface Held {
  /** How many requests it has met. */
  readonly met: number;
  end(): void;
}

/**
 * HTTP in front of a Cinder that passes everything on, except what a rule names: the same call about other volumes goes
 * through, so that many faults can be tried at a time.
 */
export class MisbehavingCinder {
  private readonly rules = new Map<string, Rule & { met: number }>();
  private readonly volumeOf = new Map<string, string>();
  private readonly agent = new Agent({ keepAlive: true });
  private readonly sockets = new Set<Socket>();
  private readonly server = createServer((incoming, response) => {
    void this.serve(incoming, response).catch((error: unknown) => response.destroy(error as Error));
  });

  private constructor(private readonly target: URL) {}

  /** `target`: `http://host:port/v3` */
  static async before(target: string): Promise<MisbehavingCinder> {
    const proxy = new MisbehavingCinder(new URL(target));
    proxy.server.on('connection', (socket) => {
      proxy.sockets.add(socket);
      socket.on('error', () => undefined).on('close', () => proxy.sockets.delete(socket));
    });
    await new Promise<void>((resolve) => proxy.server.listen(0, '127.0.0.1', resolve));
    return proxy;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}/v3`;
  }

  async close(): Promise<void> {
    const closed = new Promise((resolve) => this.server.close(resolve));
    for (const socket of this.sockets) socket.destroy();
    this.agent.destroy();
    await closed;
  }

  /** One rule for a caller's call about a volume; a second takes the place of the first. */
  hold(rule: Rule): Held {
    const held = { ...rule, met: 0 };
    const key = keyOf(rule);
    this.rules.set(key, held);
    return {
      get met() {
        return held.met;
      },
      end: () => {
        if (this.rules.get(key) === held) this.rules.delete(key);
      },
    };
  }

  private async serve(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await textOf(incoming);
    const { method = 'GET', url = '/', headers, socket } = incoming;
    const token = String(headers['x-auth-token']);
    const forward = async (): Promise<CinderAnswer> => {
      const answer = await this.pass(method, url, headers, body);
      this.learn(answer.text);
      return answer;
    };
    const call = namedCall(method, url, body, this.volumeOf);
    const by: Caller = token.startsWith('admin:') ? 'service' : 'user';
    const rule = call === null ? undefined : this.rules.get(keyOf({ by, ...call }));
    if (rule === undefined || call === null) {
      const { status, headers: answered, text } = await forward();
      response.writeHead(status, answered).end(text);
      return;
    }
    rule.met += 1;
    await rule.fault({ call, token, response, socket, forward });
  }

  /** Later calls name an attachment by its own id only. */
  private learn(text: string): void {
    const found = /"attachment":/.test(text) ? (JSON.parse(text) as { attachment?: Learned }).attachment : undefined;
    if (found?.volume_id !== undefined) this.volumeOf.set(found.id, found.volume_id);
  }

  private pass(method: string, path: string, headers: IncomingMessage['headers'], body: string): Promise<CinderAnswer> {
    return new Promise((resolve, reject) => {
      const { hostname: host, port } = this.target;
      const outgoing = request({ host, port, method, path, headers: { ...headers, host }, agent: this.agent });
      outgoing.on('error', reject);
      outgoing.on('response', (answer) => {
        textOf(answer).then((text) => {
          resolve({ status: answer.statusCode ?? 0, headers: answer.headers, text });
        }, reject);
      });
      outgoing.end(body);
    });
  }
}

interface Learned {
  readonly id: string;
  readonly volume_id?: string;
}

const keyOf = ({ by, call, volume }: Pick<Rule, 'by' | 'call' | 'volume'>): string => `${by} ${call} ${volume}`;

async function textOf(message: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of message) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString();
}
