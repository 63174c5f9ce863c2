import { type ArgumentsHost, Catch, type ExceptionFilter, HttpException, Inject } from '@nestjs/common';
import { type Log, NovellaError } from '@novella/core';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { PORTS } from '../ports.js';
import { ApiFault, faultBody, type FaultStatus, HTTP_STATUS, webobAnswer } from './fault.js';

/** Every error of every request ends here. Only what is meant for the caller leaves; the rest is logged. */
@Catch()
export class ErrorFilter implements ExceptionFilter {
  constructor(@Inject(PORTS) private readonly io: { readonly log: Log }) {}

  catch(thrown: unknown, host: ArgumentsHost): void {
    const http = host.switchToHttp();
    const request = http.getRequest<FastifyRequest>();
    const reply = http.getResponse<FastifyReply>();
    // Its client went away while it sent; nobody reads the answer, and nothing of ours has failed.
    if (request.raw.readableAborted) {
      this.answer(reply, 400, 'The request is malformed.');
      return;
    }
    if (thrown instanceof HttpException || isFastifyError(thrown)) {
      // Nest and Fastify: no such route, a body that is too large, a request that HTTP itself forbids.
      const status = thrown instanceof HttpException ? thrown.getStatus() : thrown.statusCode;
      if (status === 404 || status === 413 || status === 503) {
        const answer = webobAnswer(status, request.headers.accept);
        void reply.status(status).header('content-type', answer.contentType).send(answer.body);
        return;
      }
      if (status >= 400 && status < 500) {
        this.answer(reply, status === 415 ? 415 : 400, 'The request is malformed.');
        return;
      }
    }
    const { status, message } = this.judge(thrown, request);
    this.answer(reply, status, message);
  }

  private judge(thrown: unknown, request: FastifyRequest): { status: FaultStatus; message: string } {
    if (thrown instanceof ApiFault) return { status: thrown.status, message: thrown.message };
    const status: FaultStatus = thrown instanceof NovellaError ? HTTP_STATUS[thrown.code] : 500;
    const requestId = request.call?.context.requestId;
    if (status < 500 && thrown instanceof NovellaError) return { status, message: thrown.message };
    this.io.log.error('request failed', { error: thrown, method: request.method, url: request.originalUrl, requestId });
    return status === 503
      ? { status, message: 'The service cannot do this now. Please try again later.' }
      : { status, message: 'Unexpected API Error. The request id names it in the log of this service.' };
  }

  private answer(reply: FastifyReply, status: FaultStatus, message: string): void {
    void reply
      .status(status)
      .header('content-type', 'application/json; charset=UTF-8')
      .send(JSON.stringify(faultBody(status, message)));
  }
}

const isFastifyError = (thrown: unknown): thrown is Error & { statusCode: number } =>
  thrown instanceof Error && 'code' in thrown && String(thrown.code).startsWith('FST_') && 'statusCode' in thrown;
