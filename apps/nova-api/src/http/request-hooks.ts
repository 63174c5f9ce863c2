import { isRequestId, type Log, type Random, type RequestId } from '@novella/core';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { NovaPolicy } from '@novella/policy';
import type { NovaApiConfig } from '../nova-api.config.js';
import type { Authenticated, Authenticator } from './authenticator.js';
import { bodyJson } from './body-json.js';
import { ApiFault } from './fault.js';
import { Judge } from './judge.js';
import { linkBase, linksFor } from './links.js';
import {
  formatMicroversion,
  MAX_MICROVERSION,
  type Microversion,
  MIN_MICROVERSION,
  negotiate,
} from './microversion.js';
import type { RequestContext } from './request-context.js';
import { requestedPath } from './requested-path.js';

/**
 * What happens to each request before its controller, in Nova's order: request id, identity, then (for paths that have a
 * route) microversion, content type, JSON, the project of the URL. Schema and policy follow in the controllers.
 */
const VERSION_HEADERS = { standard: 'OpenStack-API-Version', legacy: 'X-OpenStack-Nova-API-Version' } as const;

const requestIds = new WeakMap<FastifyRequest, RequestId>();

export interface RequestHooksIo {
  readonly config: NovaApiConfig;
  readonly authenticator: Authenticator;
  readonly policy: NovaPolicy;
  readonly random: Random;
  readonly log: Log;
}

export function installRequestHooks(
  fastify: FastifyInstance,
  { config, authenticator, policy, random, log }: RequestHooksIo,
): void {
  fastify.decorateRequest('call', null);
  // Bodies stay bytes until the microversion is agreed; only then is it time to complain about them.
  fastify.removeAllContentTypeParsers();
  fastify.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body));

  fastify.addHook('onRequest', async (request, reply) => {
    const requested = requestedPath(request.originalUrl);
    if (requested.kind === 'version' || requested.kind === 'resource') giveRequestId(request, reply, random);
    if (requested.kind !== 'resource') return;
    const versionUrl = `${linkBase(request, config)}/${requested.legacy ? 'v2' : 'v2.1'}`;
    const authenticated = await authenticate(authenticator, request, versionUrl);
    if (authenticated.kind === 'answered') {
      return reply
        .code(authenticated.status)
        .headers(authenticated.headers)
        .send(authenticated.body ?? undefined);
    }
    // 404 comes after authentication, and before there is talk of microversions.
    if (request.is404) return;
    const microversion = requested.legacy ? MIN_MICROVERSION : agreeOnMicroversion(request, reply);
    request.call = {
      context: contextOf(request, authenticated, policy),
      microversion,
      legacy: requested.legacy,
      links: linksFor(linkBase(request, config), requested),
    };
  });

  fastify.addHook('preValidation', (request, _reply, done) => {
    if (request.call === null) {
      done();
      return;
    }
    request.body = parseJson(request);
    const requested = requestedPath(request.originalUrl);
    const projectId = requested.kind === 'resource' ? requested.projectId : null;
    if (projectId !== null && projectId !== request.call.context.projectId) {
      throw new ApiFault(400, "Malformed request URL: URL's project_id doesn't match Context's project_id");
    }
    done();
  });

  fastify.addHook('onResponse', (request, reply, done) => {
    if (request.call !== null) logRequest(log, request, request.call.context, reply.statusCode);
    done();
  });

  fastify.addHook('onSend', (_request, reply, _payload, done) => {
    if (reply.statusCode === 401 && authenticator.challenge !== null) {
      reply.header('WWW-Authenticate', authenticator.challenge);
    }
    // Fastify adds a charset; Nova's successes have none.
    if (reply.getHeader('content-type') === 'application/json; charset=utf-8') {
      reply.header('content-type', 'application/json');
    }
    done();
  });
}

/** What changes something is told at info, with the caller's own id, by which it is found across services. */
function logRequest(log: Log, request: FastifyRequest, context: RequestContext, status: number): void {
  const { requestId, globalRequestId, userId, projectId } = context;
  const { method, originalUrl: url } = request;
  const facts = { method, url, status, requestId, globalRequestId, userId, projectId };
  if (WITH_BODY.includes(method) || method === 'DELETE') log.info('request', facts);
  else log.debug('request', facts);
}

export function giveRequestId(request: FastifyRequest, reply: FastifyReply, random: Random): void {
  const requestId = `req-${random.uuid()}` as RequestId;
  requestIds.set(request, requestId);
  reply.header('x-openstack-request-id', requestId);
  reply.header('x-compute-request-id', requestId);
}

function authenticate(authenticator: Authenticator, request: FastifyRequest, versionUrl: string) {
  const header = (name: string) => one(request.headers[name]);
  return authenticator.authenticate({
    method: request.method,
    path: request.originalUrl.split('?', 1)[0] ?? '/',
    token: header('x-auth-token') ?? header('x-storage-token'),
    serviceToken: header('x-service-token'),
    header,
    versionUrl,
  });
}

function contextOf(
  request: FastifyRequest,
  { identity, token }: Extract<Authenticated, { kind: 'identified' }>,
  policy: NovaPolicy,
): RequestContext {
  const requestId = requestIds.get(request);
  if (requestId === undefined) throw new Error('a resource request has no request id');
  const globalId = one(request.headers['x-openstack-request-id']);
  const judge = new Judge(policy.rules(), identity);
  return {
    ...identity,
    isAdmin: judge.isAdmin,
    judge,
    requestId,
    globalRequestId: globalId !== undefined && isRequestId(globalId) ? globalId : null,
    token,
  };
}

/** Sets the answer's version headers and answers the version, or throws 400 (no headers) or 406 (asked-for echoed). */
function agreeOnMicroversion(request: FastifyRequest, reply: FastifyReply): Microversion {
  const asked = negotiate(
    one(request.headers['openstack-api-version']),
    one(request.headers['x-openstack-nova-api-version']),
  );
  switch (asked.kind) {
    case 'malformed':
      throw new ApiFault(
        400,
        `API Version String ${asked.asked} is of invalid format. Must be of format MajorNum.MinorNum.`,
      );
    case 'unsupported':
      setVersionHeaders(reply, asked.asked);
      throw new ApiFault(
        406,
        `Version ${asked.asked} is not supported by the API. Minimum is ${formatMicroversion(MIN_MICROVERSION)} and maximum is ${formatMicroversion(MAX_MICROVERSION)}.`,
      );
    case 'agreed':
      setVersionHeaders(reply, formatMicroversion(asked.version));
      return asked.version;
  }
}

function setVersionHeaders(reply: FastifyReply, version: string): void {
  reply.header(VERSION_HEADERS.standard, `compute ${version}`);
  reply.header(VERSION_HEADERS.legacy, version);
  reply.header('Vary', [VERSION_HEADERS.standard, VERSION_HEADERS.legacy]);
}

/** A body of another method is not looked at. */
const WITH_BODY = ['POST', 'PUT', 'PATCH'];
const JSON_TYPES = ['application/json', 'application/vnd.openstack.compute+json', 'text/plain'];

function parseJson(request: FastifyRequest): unknown {
  const type = request.headers['content-type']?.split(';', 1)[0]?.trim().toLowerCase();
  if (type !== undefined && type !== '' && !JSON_TYPES.includes(type)) {
    throw new ApiFault(415, `Unsupported Content-Type ${type}`);
  }
  const bytes = request.body;
  if (!Buffer.isBuffer(bytes) || bytes.length === 0 || !WITH_BODY.includes(request.method)) return null;
  return bodyJson(bytes);
}

const one = (header: string | string[] | undefined): string | undefined =>
  Array.isArray(header) ? header.join(', ') : header;
