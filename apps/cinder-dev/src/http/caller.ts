import { type CanActivate, createParamDecorator, type ExecutionContext, Injectable, SetMetadata } from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import { type FastifyReply, type FastifyRequest } from 'fastify';
import { badRequest, CinderFault, noSuchResource } from '../faults.js';
import { type Caller } from '../flows/parts.js';

/** cinder:api/openstack/api_version_request.py of Zed */
export const LARGEST_MINOR = 70;

const SINCE = 'cinder-dev:since';
/** The route is there from microversion 3.`minor`; below it is a 404 as of any unknown path. */
export const Since = (minor: number) => SetMetadata(SINCE, minor);

const callers = new WeakMap<FastifyRequest, Caller>();
export const CallerOf = createParamDecorator((_: unknown, context: ExecutionContext): Caller => {
  const caller = callers.get(context.switchToHttp().getRequest<FastifyRequest>());
  if (caller === undefined) throw new Error('the route has no CallerGuard');
  return caller;
});

/**
 * Who asks and at which microversion. As Cinder with auth_strategy noauth: the token is `user:project`, everybody is an
 * administrator, and the project in the URL is the token's.
 */
@Injectable()
export class CallerGuard implements CanActivate {
  constructor(private readonly reflector: Reflector) {}

  canActivate(context: ExecutionContext): boolean {
    const http = context.switchToHttp();
    const request = http.getRequest<FastifyRequest<{ Params: { project?: string } }>>();
    const minor = minorOf(headerOf(request, 'openstack-api-version'));
    const reply = http.getResponse<FastifyReply>();
    void reply.headers({ 'openstack-api-version': `volume 3.${minor}`, vary: 'OpenStack-API-Version' });

    const token = headerOf(request, 'x-auth-token');
    if (token === undefined || token === '') throw new CinderFault(401, 'The request has no X-Auth-Token.');
    const [userId = '', project] = token.split(':', 2);
    const projectId = project === undefined || project === '' ? userId : project;
    if (request.params.project !== projectId) throw badRequest('Malformed request url');

    const since = this.reflector.getAllAndOverride<number | undefined>(SINCE, [
      context.getHandler(),
      context.getClass(),
    ]);
    if (minor < (since ?? 0)) throw noSuchResource();

    const globalRequestId = globalIdOf(headerOf(request, 'x-openstack-request-id')) ?? request.id;
    callers.set(request, { userId, projectId, requestId: request.id, globalRequestId, minor });
    return true;
  }
}

function headerOf(request: FastifyRequest, name: string): string | undefined {
  const value = request.headers[name];
  return Array.isArray(value) ? value[0] : value;
}

const globalIdOf = (text: string | undefined): string | null =>
  text !== undefined && /^req-[0-9a-f-]{36}$/.test(text) ? text : null;

/** `volume 3.44` or `volume latest`, perhaps among other services'. Without one: 3.0. Errors: 400, 406. */
function minorOf(header: string | undefined): number {
  const ours = header
    ?.split(',')
    .map((part) => part.trim().split(/\s+/))
    .find(([service]) => service === 'volume');
  const version = ours?.[1];
  if (version === undefined) return 0;
  if (version === 'latest') return LARGEST_MINOR;
  const [, major, minor] = /^(\d{1,3})\.(\d{1,4})$/.exec(version) ?? [];
  if (major === undefined) throw badRequest(`API Version String ${version.slice(0, 50)} is of invalid format.`);
  if (major !== '3' || Number(minor) > LARGEST_MINOR) {
    throw new CinderFault(406, `Version ${version} is not supported by the API. Minimum is 3.0 and maximum is 3.70.`);
  }
  return Number(minor);
}
