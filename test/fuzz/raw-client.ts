import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

/** HTTP by hand over a socket, to send what no client library would. */
export interface RawAnswer {
  readonly code: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly text: string;
}

export class RawClient {
  private received = Buffer.alloc(0);
  /** The server has ended the connection, or it broke. */
  readonly closed: Promise<void>;
  isClosed = false;

  private constructor(readonly socket: Socket) {
    socket.on('data', (piece: Buffer) => (this.received = Buffer.concat([this.received, piece])));
    socket.on('error', () => undefined);
    this.closed = new Promise((resolve) => {
      socket.once('close', () => {
        this.isClosed = true;
        resolve();
      });
    });
  }

  static async open(port: number): Promise<RawClient> {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true });
    const client = new RawClient(socket);
    await Promise.race([once(socket, 'connect').catch(() => undefined), client.closed]);
    return client;
  }

  send(bytes: string | Buffer): void {
    if (this.socket.writable) this.socket.write(bytes);
  }

  /** All answers that are complete. Bodies end by their length, by chunks, or with the connection. */
  get answers(): RawAnswer[] {
    const all: RawAnswer[] = [];
    let rest = this.received.toString('latin1');
    for (let next = takeAnswer(rest, this.isClosed); next !== null; next = takeAnswer(rest, this.isClosed)) {
      all.push(next.answer);
      rest = next.rest;
    }
    return all;
  }

  /** So many answers, or what there is when the connection ends. */
  async until(count: number): Promise<RawAnswer[]> {
    while (this.answers.length < count && !this.isClosed) {
      await Promise.race([once(this.socket, 'data').catch(() => undefined), this.closed]);
    }
    return this.answers;
  }

  close(): void {
    this.socket.destroy();
  }
}

/** One connection, one write, all answers until the server ends it or `count` are there. */
export async function talk(port: number, bytes: string | Buffer, count = 1): Promise<RawAnswer[]> {
  const client = await RawClient.open(port);
  client.send(bytes);
  const answers = await client.until(count);
  client.close();
  return answers;
}

function takeAnswer(text: string, isClosed: boolean): { answer: RawAnswer; rest: string } | null {
  const end = text.indexOf('\r\n\r\n');
  const code = /^HTTP\/1\.1 (\d{3})/.exec(text)?.[1];
  if (end < 0 || code === undefined) return null;
  const lines = text.slice(0, end).split('\r\n').slice(1);
  const headers = Object.fromEntries(
    lines.map((line) => [line.split(':', 1)[0]?.toLowerCase() ?? '', line.slice(line.indexOf(':') + 1).trim()]),
  );
  const after = text.slice(end + 4);
  const body = takeBody(Number(code), headers, after, isClosed);
  if (body === null) return null;
  const decoded = Buffer.from(body.text, 'latin1').toString('utf8');
  return { answer: { code: Number(code), headers, text: decoded }, rest: after.slice(body.taken) };
}

function takeBody(code: number, headers: RawAnswer['headers'], after: string, isClosed: boolean) {
  if (code < 200 || code === 204 || code === 304) return { text: '', taken: 0 };
  const length = headers['content-length'];
  if (length !== undefined) {
    return after.length < Number(length) ? null : { text: after.slice(0, Number(length)), taken: Number(length) };
  }
  if (headers['transfer-encoding'] === 'chunked') {
    const end = after.indexOf('0\r\n\r\n');
    return end < 0 ? null : { text: after.slice(0, end), taken: end + 5 };
  }
  if (headers['connection'] === 'close' && !isClosed) return null;
  return { text: after, taken: after.length };
}
