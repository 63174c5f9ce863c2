import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import type { RequestId } from '@novella/core';
import type { Requester } from '@novella/persistence';
import type { FastifyRequest } from 'fastify';
import type { Identity } from './identity.js';
import type { Judge } from './judge.js';
import type { Links } from './links.js';
import type { Microversion } from './microversion.js';

/** Who asks. Made once per request, by the hook in request-hooks.ts. */
export interface RequestContext extends Identity {
  /** By the rule `context_is_admin`. */
  readonly isAdmin: boolean;
  /** By which rules, see policy.ts. */
  readonly judge: Judge;
  readonly requestId: RequestId;
  /** X-OpenStack-Request-ID of the caller; logged and passed on, never our own id. */
  readonly globalRequestId: RequestId | null;
  /** To ask Cinder in the user's name. */
  readonly token: string;
}

/** A request to a resource: who asks, at which microversion, and how its answer links. */
export interface ApiCall {
  readonly context: RequestContext;
  readonly microversion: Microversion;
  /** Asked under `/v2`: no microversions, unknown keys in bodies are dropped. */
  readonly legacy: boolean;
  readonly links: Links;
}

declare module 'fastify' {
  interface FastifyRequest {
    /** Set for resources once the request was authenticated and its microversion agreed. */
    call: ApiCall | null;
  }
}

export function callOf(request: FastifyRequest): ApiCall {
  if (request.call === null) throw new Error('a resource was reached without the request hooks');
  return request.call;
}

export const Call = createParamDecorator((_: unknown, at: ExecutionContext): ApiCall =>
  callOf(at.switchToHttp().getRequest<FastifyRequest>()),
);

export const requesterOf = ({ requestId, userId, projectId }: RequestContext): Requester => ({
  requestId,
  userId,
  projectId,
});
