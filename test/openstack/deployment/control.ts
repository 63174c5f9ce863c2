import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { z } from 'zod';
import type { CommandEnd } from './commands.js';
import { type HttpWay, wayRule } from './http-way.js';

/** What stories, which are other processes, may do to the deployment. */
export interface Controlled {
  /** By name: `to-cinder` is Novella's way to Cinder, `to-nova` Cinder's to Nova. */
  readonly ways: Readonly<Record<string, HttpWay>>;
  readonly keystone: { kill(): Promise<void>; resume(): Promise<void> };
  readonly pidOf: (member: string) => number;
  /** The `openstack` command. */
  readonly openstack: (words: readonly string[], environment: Readonly<Record<string, string>>) => Promise<CommandEnd>;
}

/**
 * Plain HTTP on the loopback.
 *
 * PUT /ways/NAME       the rules of the way, in place of those before
 * GET /ways/NAME       how many requests each rule has met, and how many of those were answered
 * PUT /keystone        {"runs": bool}
 * GET /members/NAME    its process
 * POST /openstack      {"words", "environment"}: how the command has ended
 */
export async function serveControl(controlled: Controlled): Promise<{ url: string; close(): Promise<void> }> {
  const server = createServer((request, response) => {
    answer(controlled, request, response).catch((error: unknown) => {
      response.statusCode = 500;
      response.end(JSON.stringify({ error: String(error) }));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

const keystoneWish = z.object({ runs: z.boolean() });

const command = z.object({ words: z.array(z.string()), environment: z.record(z.string(), z.string()) });

async function answer(
  { ways, keystone, pidOf, openstack }: Controlled,
  request: IncomingMessage,
  response: ServerResponse,
) {
  const [, kind, name = ''] = (request.url ?? '').split('/');
  const body = await jsonOf(request);
  const way = ways[name];
  const tell = (value: unknown) => response.end(JSON.stringify(value));
  if (kind === 'ways' && way !== undefined) {
    if (request.method === 'PUT') way.set(z.array(wayRule).parse(body));
    return tell(way.counts);
  }
  if (kind === 'keystone') {
    await (keystoneWish.parse(body).runs ? keystone.resume() : keystone.kill());
    return tell({});
  }
  if (kind === 'openstack') {
    const { words, environment } = command.parse(body);
    return tell(await openstack(words, environment));
  }
  if (kind === 'members') return tell({ pid: pidOf(name) });
  response.statusCode = 404;
  return tell({});
}

async function jsonOf(request: IncomingMessage): Promise<unknown> {
  let text = '';
  for await (const chunk of request) text += String(chunk);
  return text === '' ? null : JSON.parse(text);
}
