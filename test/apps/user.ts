import { randomUUID } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { waitUntil } from '@novella/testing';
import type { Stack } from './stack.js';

const PROJECT = 'd'.repeat(32);
const TINY = '1';
const LONG = 60_000;

interface Answer {
  readonly status: number;
  readonly json: {
    readonly server?: { readonly id: string; readonly status: string };
    readonly services?: readonly { readonly binary: string; readonly host: string; readonly state: string }[];
  } & Readonly<Record<string, unknown>>;
}

/** What a user of the compute API does in these tests. */
export class User {
  private readonly image = randomUUID();

  constructor(private readonly stack: Stack) {}

  async ask(method: string, path: string, body?: unknown): Promise<Answer> {
    const answer = await fetch(`${this.stack.apiUrl}/v2.1${path}`, {
      method,
      headers: {
        'X-Auth-Token': `admin:${PROJECT}`,
        'OpenStack-API-Version': 'compute 2.79',
        ...(body === undefined ? {} : { 'Content-Type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await answer.text();
    return { status: answer.status, json: text === '' ? {} : (JSON.parse(text) as Answer['json']) };
  }

  /** Asks for a server; it is being built then. */
  async createServer(): Promise<string> {
    await this.describeImage();
    const server = { name: 'vm', flavorRef: TINY, imageRef: this.image, networks: 'none' };
    const { status, json } = await this.ask('POST', '/servers', { server });
    if (status !== 202 || json.server === undefined) throw new Error(`no server: ${status} ${JSON.stringify(json)}`);
    return json.server.id;
  }

  async untilActive(server: string): Promise<void> {
    const look = async () => {
      const { json } = await this.ask('GET', `/servers/${server}`);
      return json.server?.status !== 'BUILD' && json.server;
    };
    const built = await waitUntil(look, { what: `the build of ${server} to end`, timeout: LONG, every: 50 });
    if (built.status !== 'ACTIVE') throw new Error(`the server is not active: ${JSON.stringify(built)}`);
  }

  /** From the API by the broker to the host and back: it all works together. Answers the server, which is gone again. */
  async getsServer(): Promise<string> {
    const server = await this.createServer();
    await this.untilActive(server);
    await this.deleteServer(server);
    return server;
  }

  async deleteServer(server: string): Promise<void> {
    await this.ask('DELETE', `/servers/${server}`);
    const look = async () => (await this.ask('GET', `/servers/${server}`)).status === 404;
    await waitUntil(look, { what: `server ${server} to be gone`, timeout: LONG, every: 50 });
  }

  async untilService(binary: string, host: string, state: 'up' | 'down'): Promise<void> {
    const look = async () => {
      const { json } = await this.ask('GET', '/os-services');
      return json.services?.some((one) => one.binary === binary && one.host === host && one.state === state);
    };
    await waitUntil(look, { what: `${binary} of ${host} to be ${state}`, timeout: LONG, every: 100 });
  }

  private async describeImage(): Promise<void> {
    const folder = join(this.stack.dir.path, 'images');
    const file = `${this.image}.raw`;
    await writeFile(join(folder, file), 'x');
    const image = { id: this.image, name: 'image', disk_format: 'raw', file };
    await writeFile(join(folder, `${this.image}.json`), JSON.stringify(image));
  }
}
