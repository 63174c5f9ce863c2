import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import type { FastifyInstance } from 'fastify';

/** Starts an API and tells which routes its router was given, as `GET /v2.1/servers/:id`. */
export async function routesWhile<T>(
  start: () => Promise<T>,
): Promise<{ readonly started: T; readonly routes: string[] }> {
  const routes = new Set<string>();
  const watch = (message: unknown): void => {
    const { fastify } = message as { fastify: FastifyInstance };
    fastify.addHook('onRoute', ({ method, url }) => {
      for (const each of [method].flat()) routes.add(`${each} ${url}`);
    });
  };
  subscribe('fastify.initialization', watch);
  try {
    return { started: await start(), routes: [...routes] };
  } finally {
    unsubscribe('fastify.initialization', watch);
  }
}
