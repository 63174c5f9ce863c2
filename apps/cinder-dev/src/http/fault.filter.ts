import { type ArgumentsHost, Catch, type ExceptionFilter, HttpException } from '@nestjs/common';
import { type Log } from '@novella/core';
import { type FastifyReply, type FastifyRequest } from 'fastify';
import { CinderFault } from '../faults.js';

/** cinder:api/openstack/wsgi.py Fault */
const NAMES: Readonly<Record<number, string>> = {
  400: 'badRequest',
  401: 'unauthorized',
  403: 'forbidden',
  404: 'itemNotFound',
  405: 'badMethod',
  409: 'conflictingRequest',
  413: 'overLimit',
  415: 'badMediaType',
  503: 'serviceUnavailable',
};

/** Every error in Cinder's form: the fault's name, under it code and message. */
@Catch()
export class FaultFilter implements ExceptionFilter {
  constructor(private readonly log: Log) {}

  catch(thrown: unknown, host: ArgumentsHost): void {
    const http = host.switchToHttp();
    const reply = http.getResponse<FastifyReply>();
    const { status, message } = this.read(thrown, http.getRequest<FastifyRequest>());
    const fault = { [NAMES[status] ?? 'computeFault']: { code: status, message } };
    void reply.status(status).type('application/json').send(fault);
  }

  private read(thrown: unknown, request: FastifyRequest): { status: number; message: string } {
    if (thrown instanceof CinderFault) return thrown;
    // Nest's for an unknown route, Fastify's for a body that it could not read.
    const status = thrown instanceof HttpException ? thrown.getStatus() : statusOf(thrown);
    if (status === 404) return { status, message: 'The resource could not be found.' };
    if (status === 400) return { status, message: 'Malformed request body' };
    if (status === 415) return { status, message: 'Unsupported Content-Type' };
    if (status === 413) return { status, message: 'The request body is too large.' };
    this.log.error('a request failed', { method: request.method, url: request.url, error: thrown });
    return {
      status: 500,
      message: 'The server has either erred or is incapable of performing the requested operation.',
    };
  }
}

function statusOf(thrown: unknown): number {
  if (typeof thrown !== 'object' || thrown === null || !('statusCode' in thrown)) return 500;
  return typeof thrown.statusCode === 'number' ? thrown.statusCode : 500;
}
