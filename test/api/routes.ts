import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import type { FastifyInstance } from 'fastify';

/** What the router was given, so that a new route is known without a word about it. */
export interface Route {
  readonly method: string;
  /** With the router's parameters: `/v2.1/servers/:id`. */
  readonly url: string;
}

/** Starts an API and tells which routes it has; HEAD is left out where there is a GET, of which it is the shadow. */
export async function routesWhile<T>(start: () => Promise<T>): Promise<{ started: T; routes: readonly Route[] }> {
  const taken: Route[] = [];
  const onStart = (message: unknown): void => {
    const { fastify } = message as { fastify: FastifyInstance };
    fastify.addHook('onRoute', ({ method, url }) => {
      for (const each of [method].flat()) taken.push({ method: each, url });
    });
  };
  subscribe('fastify.initialization', onStart);
  try {
    const started = await start();
    return { started, routes: taken.filter((route) => !isShadow(route, taken)) };
  } finally {
    unsubscribe('fastify.initialization', onStart);
  }
}

const isShadow = ({ method, url }: Route, all: readonly Route[]): boolean =>
  method === 'HEAD' && all.some((other) => other.method === 'GET' && other.url === url);

export const isVersioned = ({ url }: Route): boolean => url.startsWith('/v2.1/');
export const takesBody = ({ method }: Route): boolean => ['POST', 'PUT', 'PATCH'].includes(method);
export const parametersOf = ({ url }: Route): string[] => [...url.matchAll(/:([^/]+)/g)].map(([, name]) => name ?? '');

/** The URL with its parameters filled in, in their order. */
export function urlOf(route: Route, values: readonly string[]): string {
  let next = 0;
  return route.url.replaceAll(/:[^/]+/g, () => encodeURIComponent(values[next++] ?? ''));
}
